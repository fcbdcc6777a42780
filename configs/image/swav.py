"""SwAV. Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, NeurIPS 2020. arXiv:2006.09882, Eq. 2 to 5 and Algorithm 1.

Deviates: epsilon 0.03 (paper 0.05): sharper codes, by which the official README keeps runs from the collapse that they begin in.

The scale `imagenet` is the run of 200 epochs with batches of 256 and a queue (README of the official code, swav_200ep_bs256_pretrain.sh),
with epsilon 0.05.
Deviates: prototypes are normalised in the forward pass (official code: in place); small crops come from 224 pixels.

The scales `cifar10` and `imagenet100` are those of solo-learn, without multi-crop (scripts/pretrain/cifar/swav.yaml,
scripts/pretrain/imagenet-100/swav.yaml); there the queue is filled from the first step and read from epoch 50, here filled from epoch 50.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.727, source='arXiv:2006.09882, README of the code, 200 epochs, batch 256', hardware='4 GPUs', hours=174,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.8917, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.7428, source='arXiv:2108.01775, README of solo-learn', hardware='2 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'swapped prediction: cross-entropy of the code of one view and the softmax of the other, temperature 0.1, both directions',
    'codes by 3 iterations of Sinkhorn-Knopp over the batch, without gradient, epsilon 0.03 (paper: 0.05)',
    '100 learned prototypes of unit length (paper: 3,000)',
    'projector of two layers, 256 and 64 (paper: 2,048 and 128), that ends in batch norm (official code: none)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey and blur); linear probe before the projector',
    'multi-crop of 224 and 96 pixels, a queue of 3,840 earlier embeddings, prototypes fixed in the first epoch: at the scale imagenet',
    dict(part='fine-tuning on 1 % and 10 % of the labels; DeepCluster-v2 as a rival', out='open', why='neither is run'),
    dict(part='ImageNet, Instagram; transfer to Places, VOC, iNaturalist, COCO', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50 of widths 1 to 5, 800 epochs at batch 4,096', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.optimizer.learning_rate.peak = 4e-3
  # Normalised over the batch, embeddings start apart; without it they start alike, and codes that are uniform keep them so.
  c.heads.projector = dict(name='mlp', widths=(256, 64), final_norm=True)
  c.heads.prototypes = dict(name='prototypes', on='projector', k=100)
  c.passes.views = dict(name='embed', heads=('projector', 'prototypes'))
  c.losses.swap = dict(name='swav', of=('views.q', 'views.k'), pairs='all', epsilon=0.03)
  # The same prediction with the softmax of the other view, at the temperature of the codes, in the place of balanced codes.
  softmax = dict(name='dino', of=('views.q', 'views.k'), pairs='all', teacher_temperature=0.03, temperature=0.1)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='unbalanced',
    also=(dict(metric='linear_top1', beats=('unbalanced',), margin=0.02),),
    variants=dict(
      unbalanced=(f'losses.swap={softmax}',),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=256, epochs=200)
  wide, near = dict(scale=(0.14, 1.0)), dict(scale=(0.05, 0.14))
  c.data.crop = dict(views=(*(wide,) * 2, *(near,) * 6), size=224, ratio=(3 / 4, 4 / 3))
  c.view.update(views=(*({},) * 2, *(dict(size=96),) * 6), **common.IMAGENET)
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  parts = (dict(of='*', decay=1.0), dict(of='prototypes', until=5005))
  rate = dict(name='cosine', peak=0.6, end=0.0006)
  c.optimizer = dict(name='lars', form='larc', eps=1e-8, learning_rate=rate, weight_decay=1e-6, momentum=0.9, parts=parts)
  return swapped(c, views=8, start='15 epochs')


def cifar10():
  c = common.cifar10(rate=0.6, weight_decay=1e-6)
  c.view = common.cifar10_views(jitter=common.STRONG, blur=dict(p=0.5, radius=6))
  return solo_learn(c)


def imagenet100():
  c = common.imagenet100(rate=0.6, weight_decay=1e-6)
  c.view = common.alike_views(jitter=common.STRONG)
  return solo_learn(c)


def solo_learn(c):
  c.optimizer.parts = (dict(of='prototypes', until='2 epochs'),)
  return swapped(c, views=2, start='50 epochs')


def swapped(c, *, views: int, start: str):
  c.heads.projector = dict(name='mlp', widths=(2048, 128))
  c.heads.prototypes = dict(name='prototypes', on='projector', k=3000)
  c.passes.views = dict(name='embed', heads=('projector',))
  c.passes.scores = dict(name='apply', network='prototypes', on='views.q')
  for k in (0, 1):
    c.memories[f'queue{k}'] = dict(name='queue', of=f'views.q[{k}]', size=3840, start=start)
    queue = dict(queue=f'memory.queue{k}.keys', queue_valid=f'memory.queue{k}.valid', prototypes='nets.prototypes.vectors')
    pairs = tuple((q, k) for q in range(views) if q != k)
    c.losses[f'assign{k}'] = dict(name='swav', of=dict(q='scores.out', k='scores.out', **queue), pairs=pairs, weight=0.5)
  return c
