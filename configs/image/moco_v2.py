"""MoCo v2. Chen, Fan, Girshick, He, 2020. arXiv:2003.04297; He, Fan, Wu, Xie, Girshick, CVPR 2020. arXiv:1911.05722, Algorithm 1."""

from jssl.configs import common


def get_config():
  c = common.image()
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.teacher = dict(name='ema', decay=0.99, networks=('backbone', 'projector'))
  c.terms.nce = dict(
    name='two_view',
    pairs=((0, 1),),
    objective=dict(name='info_nce_queue', temperature=0.2),
    memory=dict(name='queue', size=4096),
  )
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, seeds=3)
  return c
