"""MoCo v3. Chen, Xie, He, ICCV 2021. arXiv:2104.02057, Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.heads.projector = dict(name='mlp', widths=(256, 64), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(256, 64))
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  # 4 tau: the paper's 2 tau for each of its two directions.
  c.losses.nce = dict(name='info_nce', of=('views.q', 'views.k'), pairs='all', temperature=0.2, weight=0.8)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
