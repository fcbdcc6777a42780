"""FEET. Lee, Lee, Chiang 2024. arXiv:2411.01322, section 3."""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=133, kind='evaluation', seed=0))
  c.parts = (
    'frozen column: the encoder as it is, a head on its features; it has as many examples as the column that it is compared with',
    'few-shot columns: encoder and head tuned on 2 and on 8 examples a class',
    'fine-tuned column: all 192 labelled examples, 24 steps at 1e-4, as for the few (official code: 10 epochs at 2e-5, early stopping)',
    'head of each column: logistic regression on the rows it was tuned on (official code: boosted trees if frozen, else its own)',
    'accuracy, F1 (official code: at the best threshold), area under the ROC and under the precision-recall curve',
    'table of differences to the frozen column, in points as in the official code',
    dict(part='several foundation models side by side', out='open', why='MiniLM alone; the loop takes any backbone'),
    dict(part='bootstrap intervals of each cell', out='open', why='seeds alone'),
    dict(part='SST-2; antibiotics in MIMIC-IV with clinical encoders', out='data', why='no package ships them; film reviews'),
  )
  tiny = dict(shots=(2,), steps=2, examples=32, length=8, tokenizer=None, vocabulary=4096, backbone='bert', width=16, depth=1, heads=2)
  c.experiment = dict(name='feet', **common.at(scale)(small=dict(shots=(2, 8), steps=24, examples=192), tiny=tiny))
  # What a figure of the frozen encoder alone hides: with the same labels, the fine-tuned one is better.
  c.claim = dict(metric='accuracy', beats=('frozen',), margin=0.01)
  return c
