"""CompCSE. Chanchani, Huang, ACL 2023. arXiv:2307.07380, section 3: a text is contrasted with a composition of its phrases.

As in the config `simcse`, a text is the state of [CLS].

The scale `wiki1m` is BERT-base by the command in the README of the official code, on sentences as in `simcse:wiki1m`; its figure is not given
there. Left out: the phrases of a discourse parser, the checkpoint chosen by STS-B every 125 steps.
"""

from jssl.configs import common

PUBLISHED = dict(
  wiki1m=dict(metric='sts_spearman', value=None, source='arXiv:2307.07380; README of the code', hardware='1 A100', hours=None),
)  # fmt: skip


def get_config(scale='small'):
  c = common.sentences(scale, steps=240, length=32)
  c.number = 111
  c.parts = (
    'a text and its two halves are encoded separately, each under its own dropout; the state of [CLS]',
    'the mean of the two halves, before the head; element-wise maximum and half of the features of each (RoBERTa), as rows',
    'head of one linear layer and tanh in training alone; contrast of its first 256 features of 768, a third here',
    'in-batch softmax of cosines, from texts to compositions, temperature 0.05, with gradient to both',
    'rows of contrast under dropout alone (SimCSE), and the start',
    dict(part='phrases of a discourse parser as further texts', out='data', why='no package ships a parser'),
    dict(part='transfer tasks; alignment and uniformity', out='open', why='no row runs them'),
    dict(part='a million sentences of Wikipedia; STS', out='data', why='no package ships them; news and the Lee documents'),
    dict(part='BERT and RoBERTa, base and large; one epoch of batches of 64 at 3e-5', out='scale', why='two blocks, 96 wide, at 3e-4'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1, pool='cls')
  c = composed(c, dim=common.at(scale)(small=32, tiny=8))
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'simcse'), margin=0.01,
    variants={
      'simcse': ("view={'name': 'duplicate'}", "passes.halves.on=('text.pooled[1]',)"),
      'max': ('passes.halves.how=max',), 'parts': ('passes.halves.how=parts',),
    },
    without='simcse',
  )  # fmt: skip
  return c


def composed(c, dim):
  c.view = dict(name='halves', first='data.ids.first', pad='data.ids.pad')
  # The first features of a linear layer and tanh are those of a narrower layer.
  c.heads.projector = dict(name='mlp', widths=(dim,), norm='none', final_act='tanh')
  c.passes.text = dict(name='embed')
  c.passes.halves = dict(name='compose', on=('text.pooled[1]', 'text.pooled[2]'))
  c.passes.q = dict(name='apply', network='projector', on='text.pooled[0]')
  c.passes.k = dict(name='apply', network='projector', on='halves.out')
  c.losses.nce = dict(name='simcse', of=('q.out', 'k.out'), temperature=0.05)
  return c


def wiki1m():
  rate = dict(name='linear_decay', peak=3e-5)
  return composed(common.bert_sentences('wiki1m.jsonl', batch_size=64, rate=rate), dim=256)
