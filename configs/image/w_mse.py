"""W-MSE. Ermolov, Siarohin, Sangineto, Sebe, ICML 2021. arXiv:2007.06346, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.image(scale)
  # Whitening needs twice as many rows as features; with fewer it divides by rounding errors.
  c.heads.projector = dict(name='mlp', widths=at(small=(256, 64), tiny=(16, 4)))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.match = dict(name='w_mse', of=('views.q', 'views.k'), pairs=((0, 1),), size=at(small=128, tiny=8))
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
