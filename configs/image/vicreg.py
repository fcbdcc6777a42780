"""VICReg. Bardes, Ponce, LeCun, ICLR 2022. arXiv:2105.04906, Eq. 6 and Algorithm 1."""

from jssl.configs import common

SCALES = ('fashion_mnist',)


def get_config(scale='small'):
  c = common.image(scale)
  c.heads.projector = dict(name='mlp', widths=(256, 256, 256))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.redundancy = dict(name='vicreg', of=('views.q', 'views.k'), pairs=((0, 1),), weight=0.04)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
