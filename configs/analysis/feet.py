"""FEET. Lee, Lee, Chiang 2024. arXiv:2411.01322, section 3."""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=133, kind='evaluation', seed=0))
  tiny = dict(shots=(2,), steps=2, examples=32, length=8, tokenizer=None, vocabulary=4096, backbone='bert', width=16, depth=1, heads=2)
  c.experiment = dict(name='feet', **common.at(scale)(small=dict(shots=(2, 8), steps=24, examples=192), tiny=tiny))
  # What a figure of the frozen encoder alone hides: adapted on a few examples it is worse.
  c.claim = dict(metric='accuracy', beats=('shots2',), margin=0.0)
  return c
