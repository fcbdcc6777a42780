"""MusIK. Mhammedi, Foster, Rakhlin, ICML 2023. arXiv:2304.05889, Algorithms 1 and 2."""

from ml_collections import ConfigDict


def get_config():
  c = ConfigDict(dict(number=33, seed=0))
  c.experiment = dict(name='musik', horizon=10, actions=10, episodes=8000, steps=600)
  c.claim = dict(metric='return', beats=('one_step', 'q_learning', 'random_init'), margin=0.3, seeds=3)
  return c
