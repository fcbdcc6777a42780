"""MusIK. Mhammedi, Foster, Rakhlin, ICML 2023. arXiv:2304.05889, Algorithms 1 and 2."""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=33, seed=0))
  sizes = dict(horizon=10, actions=10, episodes=8000, steps=600)
  c.experiment = dict(name='musik', **common.at(scale)(small=sizes, tiny=dict(horizon=2, actions=3, episodes=64, steps=5, judged=16)))
  c.claim = dict(metric='return', beats=('one_step', 'q_learning', 'random_init'), margin=0.3)
  return c
