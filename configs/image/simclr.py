"""SimCLR. Chen, Kornblith, Norouzi, Hinton, ICML 2020. arXiv:2002.05709, Eq. 1 and Algorithm 1."""

from jssl.configs import common


def get_config():
  c = common.image(data='mnist5k', batch_size=256, epochs=20)
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.2)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.03, seeds=3)
  return c
