"""2DMSE, sentence embeddings elastic in layers and widths. Li, Li, Li, Xie, Li, ICML 2024. arXiv:2402.14776, section 3.

The objective on every embedding is in-batch contrast with the next sentence of the same document; AnglE's needs scores.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, batch_size=16, depth=3)
  c.number = 155
  c.parts = (
    'the same objective on the last and a random earlier layer n, on all and the first d features, weight 1 (later official code: 1 / n at n)',
    'the layer is drawn uniformly from those before the last, d from 8, 16, 32, 64 and 128 (official code: up to the width)',
    'alignment: KL of the softmax over features, of the earlier layer from the last, temperature 1, without gradient to the last',
    'that KL for all features and for the first d (official code: for all alone, with gradient to both layers)',
    'mean of the tokens of each layer; one forward pass gives all layers',
    'Spearman at the first layer with 16 features, and at the last with all',
    'rivals: training of the last layer alone, and of nested sizes at the last layer alone (Matryoshka)',
    dict(part='a grid of all layers and sizes', out='open', why='two corners of it'),
    dict(part='AnglE: rankings of scored pairs by cosine and by angle', out='data', why='no scored pairs to train on; in-batch contrast'),
    dict(part='SNLI and MultiNLI; seven STS tasks', out='data', why='none packaged; news and Lee documents'),
    dict(part='BERT-base: 12 layers', out='scale', why='three blocks of MiniLM, 16 steps'),
  )
  c.view = dict(name='columns', names=('ids', 'positive'))
  c.passes.views = dict(name='embed')
  c.losses.elastic = dict(
    name='matryoshka_2d',
    of=('views.pooled_layers[0]', 'views.pooled_layers[1]'),
    dims=(8, 16, 32, 64, 128),
    objective=dict(name='simcse', temperature=0.05),
    align=dict(name='kl_align'),
  )
  c.watch = ('views.pooled[0]', 'views.pooled[1]')
  c.evaluators = dict(shallow=dict(name='sts_layer', layer=1, dims=16, pairs='pairs_test'), **c.evaluators)
  without = lambda *parts: tuple(f'losses.elastic.{part}_weight=0.0' for part in parts)
  c.claim = dict(
    metric='shallow_spearman', beats=('last layer alone', 'nested sizes alone'), margin=0.02,
    variants={'last layer alone': without('cut', 'layer', 'align'), 'nested sizes alone': without('layer', 'align')},
    also=(dict(metric='sts_spearman', beats=('last layer alone',), margin=-0.02),),
    without='last layer alone',
  )  # fmt: skip
  return c
