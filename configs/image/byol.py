"""BYOL. Grill et al., NeurIPS 2020. arXiv:2006.07733, Eq. 2 and section 3.2."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, batch_size=128)
  c.optimizer.learning_rate.peak = 4e-3
  c.heads.projector = dict(name='mlp', widths=(512, 128))
  c.heads.predictor = dict(name='mlp', on='projector', widths=(512, 128))
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.9), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.match = dict(name='byol', of=('views.q', 'views.k'), pairs='all', weight=2.0)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
