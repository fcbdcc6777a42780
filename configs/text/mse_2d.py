"""2DMSE, sentence embeddings elastic in layers and widths. Li, Li, Li, Xie, Li, ICML 2024. arXiv:2402.14776, section 3.

The objective on every embedding is in-batch contrast with the next sentence of the same document; AnglE's needs scores.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, batch_size=16, depth=3)
  c.number = 155
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
  c.claim = dict(
    metric='shallow_spearman', beats=('last layer alone',), margin=0.02,
    variants={'last layer alone': tuple(f'losses.elastic.{part}_weight=0.0' for part in ('cut', 'layer', 'align'))},
    also=(dict(metric='sts_spearman', beats=('last layer alone',), margin=-0.02),),
  )  # fmt: skip
  return c
