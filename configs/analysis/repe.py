"""Representation engineering (RepE). Zou et al. 2023. arXiv:2310.01405, sections 3.1 and 3.2.

A pair of stimuli is one sentence behind "this is a wonderful film" and behind "this is a terrible film"; no label of a sentence
is used to find the direction. Its sign, and that of a random one, is that of the template.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='contrasted_reviews', length=32)
  c.number = 136
  c.parts = (
    'pairs of stimuli from a template for more and for less of the concept, 64 pairs, no labels of their texts',
    'reading vector: first principal direction of the differences of pairs, each with both signs (official code: shuffled and centred)',
    'states averaged over tokens of an encoder (paper: the last token of a decoder)',
    'layer chosen on other examples; accuracy of the sign of the score on held-out texts',
    'linear control: the vector added to all states after one block (paper: several); outputs that a classifier calls positive, 5 strengths',
    'random direction as the control',
    dict(part='low-rank adapters trained towards controlled states (LoRRA)', out='open', why='not implemented'),
    dict(part='other readers (mean difference, clusters) and controls (piece-wise, projection, contrast)', out='open', why='no row runs them'),
    dict(part='honesty, utility, emotion and other concepts; controlled generation', out='open', why='sentiment of an encoder'),
    dict(part='LLaMA-2 of 7B to 70B parameters', out='scale', why='MiniLM'),
  )
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
