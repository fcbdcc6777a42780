"""Matryoshka representation learning. Kusupati et al., NeurIPS 2022. arXiv:2205.13147, section 3, Eq. 1, for embeddings of sentences."""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.sentences(scale, steps=60)
  c.parts = ()
  c.view = dict(name='columns', names=('ids', 'positive'))
  c.passes.views = dict(name='embed')
  c.losses.nested = dict(
    name='matryoshka', of=('views.q[0]', 'views.q[1]'), dims=at(small=(8, 16, 32, 64, 128, 384), tiny=(4, 16)),
    objective=dict(name='simcse', temperature=0.05),
  )  # fmt: skip
  c.watch = ('views.q[0]', 'views.q[1]')
  c.evaluators = dict(short=dict(name='sts', dims=at(small=16, tiny=4), pairs='pairs_test'), **c.evaluators)
  c.claim = None
  return c
