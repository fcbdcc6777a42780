"""Non-negative Contrastive Learning. Wang, Zhang, Guo, Wang, ICLR 2024. arXiv:2403.12459, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=256, epochs=20, widths=(16, 32, 64, 64))
  c.number = 117
  c.data.train = 2000
  c.heads.projector = dict(name='mlp', widths=(128, 256))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='non_negative', of=('views.q', 'views.k'), pairs='all', temperature=0.2)
  c.evaluators = dict(dimensions=dict(name='class_consistency', keep=64), linear=dict(name='logistic'))
  c.claim = dict(
    metric='dimensions_consistency', beats=('random_init', 'signed'), margin=0.05,
    also=(
      dict(metric='dimensions_sparsity', beats=('signed',), margin=0.1),
      dict(metric='dimensions_map', beats=('signed',), margin=0.0),
      dict(metric='linear_top1', beats=('signed',), margin=-0.01),
    ),
    variants=dict(signed=('losses.nce.name=nt_xent', 'losses.nce.temperature=0.2')),
  )  # fmt: skip
  return c
