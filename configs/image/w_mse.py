"""W-MSE. Ermolov, Siarohin, Sangineto, Sebe, ICML 2021. arXiv:2007.06346, section 3."""

from jssl.configs import common


def get_config():
  c = common.image()
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.terms.match = dict(name='two_view', pairs=((0, 1),), objective=dict(name='w_mse', size=128))
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, seeds=3)
  return c
