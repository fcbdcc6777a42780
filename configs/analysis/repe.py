"""Representation engineering (RepE). Zou et al. 2023. arXiv:2310.01405, sections 3.1 and 3.2.

A pair of stimuli is one sentence behind "this is a wonderful film" and behind "this is a terrible film"; no label of a sentence
is used to find the direction. Its sign, and that of a random one, is that of the template.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='contrasted_reviews', length=32)
  c.number = 136
  c.evaluators = dict(
    read=dict(name='reading', examples=256, transform=dict(name='lat')),
    steer=dict(name='steering', examples=256, transform=dict(name='lat')),
  )
  c.claim = dict(
    metric='steer_effect', beats=('random',), margin=0.2,
    variants=dict(random=('evaluators.read.transform.name=random_direction', 'evaluators.steer.transform.name=random_direction')),
    also=(dict(metric='read_accuracy', beats=('random',), margin=0.1),),
  )  # fmt: skip
  return c
