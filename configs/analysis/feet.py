"""FEET. Lee, Lee, Chiang 2024. arXiv:2411.01322, section 3."""

from ml_collections import ConfigDict


def get_config():
  c = ConfigDict(dict(number=133, kind='evaluation', seed=0))
  c.experiment = dict(name='feet', shots=(2, 8), steps=24, examples=192)
  # What a figure of the frozen encoder alone hides: adapted on a few examples it is worse.
  c.claim = dict(metric='accuracy', beats=('shots2',), margin=0.0, seeds=3)
  return c
