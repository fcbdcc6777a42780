"""Alignment and uniformity. Wang, Isola, ICML 2020. arXiv:2005.10242, section 4.1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=128, epochs=25, widths=(16, 32, 64, 64))
  c.number = 132
  c.data.train = 2000
  c.heads.projector = dict(name='linear', dim=64)
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.sphere = dict(name='align_uniform', of=('views.q', 'views.k'), pairs=((0, 1),))
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init', 'align_only'), margin=0.02,
    also=(dict(metric='linear_top1', beats=('contrastive',), margin=-0.01),),
    variants=dict(
      align_only=('losses.sphere.uniformity_weight=0.0',),
      contrastive=(
        'losses.sphere.name=nt_xent', 'losses.sphere.temperature=0.2', 'losses.sphere.pairs=all',
      ),
    ),
  )  # fmt: skip
  return c
