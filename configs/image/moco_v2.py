"""MoCo v2. Chen, Fan, Girshick, He, 2020. arXiv:2003.04297; He, Fan, Wu, Xie, Girshick, CVPR 2020. arXiv:1911.05722, Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.teacher = dict(name='ema', decay=0.99, networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.queue = dict(name='queue', of='views.k[1]', size=common.at(scale)(small=4096, tiny=64))
  c.losses.nce = dict(name='info_nce_queue', of=dict(q='views.q', k='views.k', negatives='memory.queue'), pairs=((0, 1),), temperature=0.2)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
