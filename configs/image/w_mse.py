"""W-MSE. Ermolov, Siarohin, Sangineto, Sebe, ICML 2021. arXiv:2007.06346, section 3."""

from jssl.configs import common


def get_config():
  c = common.image()
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.match = dict(name='w_mse', of=('views.q', 'views.k'), pairs=((0, 1),), size=128)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, seeds=3)
  return c
