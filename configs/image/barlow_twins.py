"""Barlow Twins. Zbontar, Jing, Misra, LeCun, Deny, ICML 2021. arXiv:2103.03230, Eq. 1 and Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.heads.projector = dict(name='mlp', widths=(256, 256, 256))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.redundancy = dict(name='barlow_twins', of=('views.q', 'views.k'), pairs=((0, 1),), weight=0.05)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
