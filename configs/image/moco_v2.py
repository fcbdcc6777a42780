"""MoCo v2. Chen, Fan, Girshick, He, 2020. arXiv:2003.04297; He, Fan, Wu, Xie, Girshick, CVPR 2020. arXiv:1911.05722, Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'InfoNCE of one query against its key and a queue, in one direction, temperature 0.2',
    'queue of 4,096 earlier keys (paper: 65,536), which here reaches back to the same image an epoch before',
    'momentum encoder and projector for the keys, decay 0.99 (paper: 0.999), without gradient',
    'projector of two layers, 256 and 64 (paper: 2,048 and 128), with batch norm (paper: none); cosine schedule, AdamW (paper: SGD)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour and grey)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='batch norm shuffled over devices', out='open', why='statistics of the whole batch, for queries and keys alike'),
    dict(part='blur as a further augmentation; rows without it, the projector or the cosine schedule', out='open', why='none is run'),
    dict(part='ImageNet; detection on VOC', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 200 and 800 epochs', out='scale', why='a convnet, 20 epochs'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.teacher = dict(name='ema', decay=0.99, networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.queue = dict(name='queue', of='views.k[1]', size=common.at(scale)(small=4096, tiny=64))
  c.losses.nce = dict(name='info_nce_queue', of=dict(q='views.q', k='views.k', negatives='memory.queue'), pairs=((0, 1),), temperature=0.2)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
