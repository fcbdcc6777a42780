"""Representation engineering (RepE). Zou et al. 2023. arXiv:2310.01405, sections 3.1 and 3.2."""

from jssl.configs import common


def get_config():
  c = common.frozen_minilm(data='rotten_tomatoes', length=24)
  c.number = 136
  c.evaluators = dict(
    read=dict(name='reading', examples=128, transform=dict(name='lat')),
    steer=dict(name='steering', examples=96, transform=dict(name='lat')),
  )
  c.claim = dict(
    metric='steer_effect', beats=('random',), margin=0.2, seeds=3,
    variants=dict(random=('evaluators.read.transform.name=random_direction', 'evaluators.steer.transform.name=random_direction')),
    also=(dict(metric='read_accuracy', beats=('random',), margin=0.1),),
  )  # fmt: skip
  return c
