"""FEET. Lee, Lee, Chiang 2024. arXiv:2411.01322, section 3."""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=133, kind='evaluation', seed=0))
  c.parts = (
    'frozen column: the encoder as it is, a head on its features',
    'few-shot columns: encoder and head tuned on 2 and on 8 examples a class',
    'fine-tuned column: encoder and head tuned on all 192 labelled examples, as many steps as for the few',
    'a logistic regression as the head of every column, fitted on the rows that the column was tuned on',
    'accuracy, F1, area under the ROC and under the precision-recall curve',
    'table of differences to the frozen column, in points as in the official code',
    dict(part='several foundation models side by side', out='open', why='MiniLM alone; the loop takes any backbone'),
    dict(part='bootstrap intervals of each cell', out='open', why='seeds alone'),
    dict(part='SST-2; antibiotics in MIMIC-IV with clinical encoders', out='data', why='no package ships them; film reviews'),
  )
  tiny = dict(shots=(2,), steps=2, examples=32, length=8, tokenizer=None, vocabulary=4096, backbone='bert', width=16, depth=1, heads=2)
  c.experiment = dict(name='feet', **common.at(scale)(small=dict(shots=(2, 8), steps=24, examples=192), tiny=tiny))
  # What a figure of the frozen encoder alone hides: adapted on a few examples it is worse.
  c.claim = dict(metric='accuracy', beats=('shots2',), margin=0.0)
  return c
