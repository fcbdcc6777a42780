"""Finding Neurons in a Haystack (sparse probing). Gurnee et al., TMLR 2023. arXiv:2305.01610, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='code_or_prose', length=24)
  c.number = 264
  c.evaluators = dict(neurons=dict(name='sparse', examples=256))
  c.claim = dict(
    metric='neurons_k1_f1', beats=('random',), margin=0.1,
    variants=dict(random=('evaluators.neurons.name=random_neurons', 'evaluators.neurons.examples=256')),
  )  # fmt: skip
  return c
