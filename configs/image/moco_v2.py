"""MoCo v2. Chen, Fan, Girshick, He, 2020. arXiv:2003.04297; He, Fan, Wu, Xie, Girshick, CVPR 2020. arXiv:1911.05722, Algorithm 1.

The scale `imagenet` is the run of 200 epochs of the official code (main_moco.py with --mlp --moco-t 0.2 --aug-plus --cos; README). The scales
`cifar10` and `imagenet100` are MoCo v2+ of solo-learn (scripts/pretrain/cifar/mocov2plus.yaml, scripts/pretrain/imagenet-100/mocov2plus.yaml,
methods/mocov2plus.py): both directions, each with a queue of its own, and a decay that rises from 0.99 to 0.999.
Deviates: batch statistics of all images together (official code: of 32 each, keys shuffled); the cosine falls in each step (official: epoch).
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.675, source='arXiv:2003.04297, README of the official code, 200 epochs', hardware='8 V100 GPUs', hours=53,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.9294, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.7928, source='arXiv:2108.01775, README of solo-learn', hardware='2 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'InfoNCE of one query against its key and a queue, in one direction, temperature 0.2',
    'queue of 1,024 earlier keys (paper: 65,536), a quarter of an epoch (paper: 5 %)',
    'earlier keys of the same image are negatives, as in the official code; 3 % of the queries meet one (paper: 0.1 %)',
    'momentum encoder and projector for the keys, decay 0.99 (paper: 0.999), without gradient',
    'projector of two layers, 256 and 64 (paper: 2,048 and 128), with batch norm (paper: none); cosine schedule, AdamW (paper: SGD)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour and grey)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='batch norm shuffled over devices', out='open', why='statistics of the whole batch, for queries and keys alike'),
    'crops, flips, colour, grey and blur, SGD, a queue of 65,536 and no batch norm in the projector: at the scale imagenet',
    dict(part='rows without blur, the projector or the cosine schedule', out='open', why='none is run'),
    dict(part='ImageNet; detection on VOC', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 200 and 800 epochs', out='scale', why='a convnet, 20 epochs'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.teacher = dict(name='ema', decay=0.99, networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.queue = dict(name='queue', of='views.k[1]', size=common.at(scale)(small=1024, tiny=64))
  c.losses.nce = dict(name='info_nce_queue', of=dict(q='views.q', k='views.k', negatives='memory.queue'), pairs=((0, 1),), temperature=0.2)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='no_momentum',
    also=(dict(metric='linear_top1', beats=('no_momentum', 'small_queue'), margin=0.002),),
    variants=dict(
      no_momentum=('teacher.decay=0.0',),
      small_queue=(f'memories.queue.size={c.batch_size}',),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=256, epochs=200)
  c.data.crop.scale = (0.2, 1.0)
  c.view, c.inputs = common.alike_views(), dict(name='plain', size=224, **common.IMAGENET)
  c.backbone.zero = False
  c.evaluators.linear.update(learning_rates=(30.0,), epochs=100, batch_size=256)
  c.heads.projector = dict(name='mlp', widths=(2048, 128), norm='none')
  c.teacher = dict(name='ema', decay=0.999, networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.queue = dict(name='queue', of='views.k[1]', size=65536)
  c.losses.nce = dict(name='info_nce_queue', of=dict(q='views.q', k='views.k', negatives='memory.queue'), pairs=((0, 1),), temperature=0.2)
  rate = dict(name='cosine', peak=0.03)
  c.optimizer = dict(name='sgd', learning_rate=rate, momentum=0.9, weight_decay=1e-4, parts=common.ALL_DECAYED)
  return c


def cifar10():
  c = common.cifar10(name='sgd', rate=0.3, weight_decay=1e-4)
  c.view = common.cifar10_views(jitter=common.WEAK, blur=dict(p=0.5, radius=6))
  return plus(c, queue=32768)


def imagenet100():
  c = common.imagenet100(name='sgd', rate=0.3, weight_decay=1e-4)
  c.view = common.alike_views()
  return plus(c, queue=65536)


def plus(c, queue: int):
  c.heads.projector = dict(name='mlp', widths=(2048, 256), norm='none')
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99, end=0.999), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  for q, k in ((0, 1), (1, 0)):
    c.memories[f'queue{k}'] = dict(name='queue', of=f'views.k[{k}]', size=queue)
    of = dict(q='views.q', k='views.k', negatives=f'memory.queue{k}')
    c.losses[f'nce{q}'] = dict(name='info_nce_queue', of=of, pairs=((q, k),), weight=0.5, temperature=0.2)
  return c
