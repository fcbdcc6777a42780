"""Learning to summarize from human feedback. Stiennon et al., NeurIPS 2020. arXiv:2009.01325, section 3.4.

Deviates: beta 0.5 (paper 0.05): the penalty is a sum over an answer, of 3 tokens here and of 24 to 48 in the paper. The row
`beta_0.05` has the paper's.
"""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=232, kind='preference', seed=0))
  sizes = common.at(scale)(small={}, tiny=dict(examples=64, steps=2, rewarded=2, rounds=1, best_of=2))
  c.experiment = dict(name='tldr', **sizes)
  c.claim = dict(
    metric='gold', beats=('supervised',), margin=0.05,
    also=(dict(metric='kl', beats=('beta_0',), margin=0.0, lower=True),),
  )  # fmt: skip
  return c
