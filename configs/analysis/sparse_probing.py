"""Finding Neurons in a Haystack (sparse probing). Gurnee et al., TMLR 2023. arXiv:2305.01610, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='code_or_prose', length=24)
  c.number = 264
  c.parts = (
    'activations of the hidden units of every MLP after the nonlinearity, averaged over the tokens of a text',
    'neurons ranked by the difference of class means, logistic regression refitted on the best k = 1, 4, 16, 64 and on all',
    'F1, precision and recall on held-out texts; classes weighted alike',
    'block with the best single neuron, chosen on half of the training texts',
    'neurons ranked at random as the control',
    dict(part='optimal k neurons by integer programming', out='open', why='not implemented'),
    dict(part='rankings by mutual information, F statistic, L1, adaptive thresholds', out='open', why='no row runs them'),
    dict(part='100 features of ten kinds, single tokens among them', out='open', why='one feature of whole texts: code or prose'),
    dict(part='neurons ablated, weights and biases examined for superposition', out='open', why='not implemented'),
    dict(part='seven Pythia models of 70M to 6.9B parameters', out='scale', why='MiniLM'),
  )
  c.evaluators = dict(neurons=dict(name='sparse', examples=256))
  c.claim = dict(
    metric='neurons_k1_f1', beats=('random',), margin=0.1,
    variants=dict(random=('evaluators.neurons.name=random_neurons', 'evaluators.neurons.examples=256')),
  )  # fmt: skip
  return c
