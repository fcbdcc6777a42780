"""DenseCL. Wang, Zhang, Shen, Kong, Li, CVPR 2021. arXiv:2011.09157, section 3.

The scale `imagenet` is the run of 200 epochs of the official code, configs/selfsup/densecl/densecl_imagenet_200ep.py; the figure of PUBLISHED
is that of fine-tuned detection on VOC 2007, which no evaluator here measures.
Deviates: batch norm has the statistics of the whole batch for the keys, too (official code: of a device, shuffled); weights alone decay
(official code: all parameters); images are resized bilinearly.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='voc_detection_ap', value=0.587, source='arXiv:2011.09157, Table 1; README of the official code', hardware='8 V100 GPUs', hours=55.2,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = published() if scale == 'imagenet' else scenes(scale)
  c.parts = (
    'global head and dense head in parallel on the backbone: two layers each, 128 and 64 wide (paper: 2,048 and 128), no batch norm',
    'dense InfoNCE of each place of the grid with its match in the other view against a queue, temperature 0.2, weight lambda = 0.5',
    'match: the most similar place by the features of the backbone, before the heads',
    'global InfoNCE of MoCo v2 with a queue of its own, temperature 0.2, weight 1 - lambda = 0.5',
    'dense queue of the means over the grid of the keys; both queues of 1,024 keys (paper: 65,536)',
    'momentum encoder and heads, decay 0.99 (paper: 0.999), without gradient',
    'views by crops, brightness and contrast (paper: crops, flips, colour, grey, blur: at the scale imagenet)',
    'linear classification of the places of frozen maps (paper: fine-tuned detection and segmentation)',
    dict(part='rows of lambda, kinds of matching, grid sizes, a warm-up of lambda', out='open', why='not run'),
    dict(part='ImageNet and COCO; detection and segmentation on VOC, COCO and Cityscapes', out='data', why='scenes of digits'),
    dict(part='ResNet-50, 200 and 800 epochs', out='scale', why='a convnet, 16 epochs'),
  )
  queries, keys = dict(name='embed', heads=('projector',)), dict(name='encode', on='views.x[1]', teacher=True)
  c.passes.update(views=queries, keys=keys, grid=dict(name='apply', network='dense', on='views.tokens[0]'))
  c.passes.key = dict(name='apply', network='projector', on='keys.pooled', teacher=True)
  c.passes.key_grid = dict(name='apply', network='dense', on='keys.tokens', teacher=True)
  c.passes.key_mean = dict(name='mean_token', on='key_grid.out')
  size = common.at(scale)(small=1024, tiny=64, imagenet=65536)
  c.memories = dict(queue=dict(name='queue', of='key.out', size=size), dense_queue=dict(name='queue', of='key_mean.out', size=size))
  of = dict(q='views.q[0]', k='key.out', negatives='memory.queue')
  c.losses.whole = dict(name='info_nce_queue', of=of, temperature=0.2, weight=0.5)
  of = dict(q_grid='grid.out', k_grid='key_grid.out', q_features='views.tokens[0]', k_features='keys.tokens', negatives='memory.dense_queue')
  c.losses.dense = dict(name='dense_info_nce', of=of, temperature=0.2, weight=0.5)
  c.watch = ('views.q[0]', 'key.out')
  c.claim = dict(
    metric='dense_top1', beats=('random_init', 'moco'), margin=0.02, without='moco',
    manipulation=dict(metric='places_top1', beats=('moco',), margin=0.05),
    variants=dict(moco=('losses.dense.weight=0.0', 'losses.whole.weight=1.0')),
  )  # fmt: skip
  return c


def scenes(scale: str):
  c = common.scenes(scale)
  c.heads = dict(projector=dict(name='mlp', widths=(128, 64), norm='none'), dense=dict(name='mlp', widths=(128, 64), norm='none'))
  c.teacher = dict(name='ema', decay=0.99, networks=('backbone', 'projector', 'dense'))
  return c


def published():
  c = common.imagenet(batch_size=256, epochs=200)
  c.data.crop.scale = (0.2, 1.0)
  jitter = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8)
  c.view = dict(name='augment', flip=0.5, jitter=jitter, grey=0.2, blur=dict(sigma=(0.1, 2.0), p=0.5, radius=11), **common.IMAGENET)
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.heads = dict(projector=dict(name='mlp', widths=(2048, 128), norm='none'), dense=dict(name='mlp', widths=(2048, 128), norm='none'))
  c.teacher = dict(name='ema', decay=0.999, networks=('backbone', 'projector', 'dense'))
  c.optimizer = dict(name='sgd', learning_rate=dict(name='cosine', peak=0.03), weight_decay=1e-4, momentum=0.9)
  return c
