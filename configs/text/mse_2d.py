"""2DMSE, sentence embeddings elastic in layers and widths. Li, Li, Li, Xie, Li, ICML 2024. arXiv:2402.14776, section 3.

The objective on every embedding is in-batch contrast with the next sentence of the same document; AnglE's needs scores.
"""

from jssl.configs import common


def get_config():
  c = common.text()
  c.number = 155
  c.backbone.depth = 4
  c.view = dict(name='columns', names=('ids', 'positive'))
  c.terms.elastic = dict(
    name='elastic', dims=(8, 16, 32, 64), objective=dict(name='simcse', temperature=0.05), align=dict(name='kl_align')
  )
  c.evaluators = dict(shallow=dict(name='sts_layer', layer=1, dims=16), whole=dict(name='sts'))
  alone = tuple(f'terms.elastic.weight_{part}=0.0' for part in ('cut', 'layer', 'align'))
  c.claim = dict(
    metric='shallow_spearman', beats=('last layer, all dims', 'last layer, many dims'), margin=0.02, seeds=3,
    variants={'last layer, all dims': alone, 'last layer, many dims': alone[1:]},
    also=(dict(metric='whole_spearman', beats=('last layer, all dims',), margin=-0.02),),
  )  # fmt: skip
  return c
