"""CARE. Gupta, Robinson, Lim, Villar, Jegelka, ICLR 2024. arXiv:2306.13924, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=256, epochs=8, widths=(16, 32, 64, 64))
  c.number = 106
  c.data.train = 2000
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.5)
  c.passes.moved = dict(name='embed', heads=('projector',), view=dict(name='grouped', view=c.view.to_dict(), chunks=8))
  c.losses.rotation = dict(name='care', of=dict(q='moved.q', k='moved.k', ids='batch.example'), pairs=((0, 1),), chunks=8, weight=0.01)
  c.evaluators = dict(rotation=dict(name='equivariance', view=c.view.to_dict()), linear=dict(name='linear'))
  c.claim = dict(
    metric='rotation_residual', beats=('random_init', 'invariant'), margin=0.02, lower=True, seeds=3,
    also=(dict(metric='linear_top1', beats=('invariant',), margin=-0.01),),
    variants=dict(
      invariant=('losses.rotation.weight=0.0',),
      equivariant_only=('losses.nce.name=uniformity',),
    ),
  )  # fmt: skip
  return c
