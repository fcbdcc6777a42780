"""DINO. Caron, Touvron, Misra, Jegou, Mairal, Bojanowski, Joulin, ICCV 2021. arXiv:2104.14294, Eq. 1 to 4 and Algorithm 1.

The scale `imagenet` is the run of 300 epochs of the official README ("Boosting DINO performance"), with the defaults of main_dino.py.
Deviates: the gain of the last layer stays 1 (that run: learned); images are resized bilinearly (official code: bicubically), and local crops
from the 224 pixels to which the loader scales them.

The scales `cifar10` and `imagenet100` are those of solo-learn for a ResNet-18, without multi-crop (scripts/pretrain/cifar/dino.yaml,
scripts/pretrain/imagenet-100/dino.yaml; temperatures and the fixed first epoch in methods/dino.py).

The scale `imagenet_vit_base` is the ViT-B/16 of 400 epochs in that README. Its arguments are in a file that the README links to; they are
given here from memory where they are not those of the ViT-S: 10 local crops, the ranges of crops, rate 7.5e-4 for 256 images, an end of 2e-6,
teacher temperature rising for 50 epochs, gradients clipped to 0.3, last layer fixed for 3 epochs. Its hours are not published.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.76, source='arXiv:2104.14294, README of the official code, 300 epochs', hardware='16 V100 GPUs', hours=62.4,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.8952, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.7492, source='arXiv:2108.01775, README of solo-learn', hardware='2 GPUs', hours=None,
  ),
  imagenet_vit_base=dict(
    metric='linear_top1', value=0.782, source='arXiv:2104.14294, Table 2 and README of the official code', hardware='16 V100 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, batch_size=128)
  c.parts = (
    "cross-entropy of the teacher's softmax and the student's, never of a view with itself; student temperature 0.1",
    'teacher: moving average, decay rising by a cosine from 0.99 to 1 (paper: from 0.996), without gradient',
    'teacher sharpened at temperature 0.02 (paper: rising from 0.04 to 0.07 in 30 epochs), centred by a running mean, momentum 0.9',
    'head of three layers with GELU, bottleneck of unit length, 1,024 outputs (paper: 65,536); with batch norm (paper: none)',
    "two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey); probes of the teacher's features",
    dict(part='attention maps of the class token as segmentation', out='open', why='not drawn'),
    'multi-crop, blur, solarisation; last layer fixed in the first epoch; rising weight decay; clipped gradients: at the scale imagenet',
    dict(part='ImageNet; retrieval, copy detection, video segmentation, transfer', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-S and ViT-B, 300 and 800 epochs', out='scale', why='a convnet, 20 epochs, at the scale small'),
  )
  c.optimizer.learning_rate.peak = 2e-3
  c.heads.projector = dict(name='dino_head', k=1024, hidden=256, bottleneck=64, norm='batch')
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  # At the paper's 0.04, views of digits start too alike for the teacher to be sharper than the student: both become uniform.
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.centre = dict(name='centre', of='views.k', momentum=0.9)
  c.losses.distil = dict(
    name='dino', of=dict(q='views.q', k='views.k', centre='memory.centre'), pairs='all', teacher_temperature=0.02, temperature=0.1
  )
  c.represent = dict(from_teacher=True)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='uncentred',
    also=(dict(metric='linear_top1', beats=('uncentred',), margin=0.02),),
    variants=dict(
      uncentred=("losses.distil.of={'q': 'views.q', 'k': 'views.k'}",),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=1024, epochs=300)
  wide, near = dict(scale=(0.4, 1.0)), dict(scale=(0.05, 0.4))
  c.data.crop = dict(views=(*(wide,) * 2, *(near,) * 8), size=224, ratio=(3 / 4, 4 / 3))
  c.view = common.imagenet_views(local=8)
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.backbone = dict(name='vit_small', patch=16, drop_path=0.1, mask_token=False)
  c.heads.projector = dict(name='dino_head')
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.996), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), teacher_views=2)
  c.memories.centre = dict(name='centre', of='views.k', momentum=0.9)
  warm = dict(name='linear', start=0.04, end=0.07, over='30 epochs')
  of = dict(q='views.q', k='views.k', centre='memory.centre')
  c.losses.distil = dict(name='dino', of=of, pairs='all', teacher_temperature=warm, temperature=0.1)
  rate = dict(name='cosine', peak=5e-4, end=1e-6 / 4, warmup='10 epochs')  # an end of 1e-6 for this batch
  c.evaluators.linear.update(layers=(4,), pools=('cls',), learning_rates=(0.001,), epochs=100, batch_size=1024)
  decay = dict(name='rise', start=0.04, end=0.4)
  last = (dict(of='projector.prototypes', until='1 epoch'),)
  c.optimizer = dict(name='adamw', learning_rate=rate, per=256, weight_decay=decay, clip_each=3.0, parts=last)
  c.represent = dict(from_teacher=True)
  return c


def cifar10():
  return solo_learn(common.cifar10(rate=0.3, weight_decay=1e-6), teacher_temperature=0.07)


def imagenet100():
  c = common.imagenet100(rate=0.3, weight_decay=1e-6)
  return solo_learn(c, teacher_temperature=dict(name='linear', start=0.04, end=0.07, over='50 epochs'))


def solo_learn(c, teacher_temperature):
  c.optimizer.parts = (dict(of='projector.prototypes', until='1 epoch'),)
  c.heads.projector = dict(name='dino_head', k=4096)
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.9995), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.centre = dict(name='centre', of='views.k', momentum=0.9)
  of = dict(q='views.q', k='views.k', centre='memory.centre')
  c.losses.distil = dict(name='dino', of=of, pairs='all', teacher_temperature=teacher_temperature, temperature=0.1)
  return c


def imagenet_vit_base():
  c = imagenet()
  c.epochs = 400
  wide, near = dict(scale=(0.25, 1.0)), dict(scale=(0.05, 0.25))
  c.data.crop.views = (*(wide,) * 2, *(near,) * 10)
  c.view = common.imagenet_views(local=10)
  c.backbone.name = 'vit_base'
  c.evaluators.linear.update(layers=(1,), pools=('cls+mean',))
  c.losses.distil.teacher_temperature.over = '50 epochs'
  c.optimizer.learning_rate.update(peak=7.5e-4, end=2e-6 / 4)
  c.optimizer.update(clip_each=0.3, parts=(dict(of='projector.prototypes', until='3 epochs'),))
  return c
