"""Barlow Twins. Zbontar, Jing, Misra, LeCun, Deny, ICML 2021. arXiv:2103.03230, Eq. 1 and Algorithm 1.

The scale `imagenet` is the paper's default setting (section 2.2) with the rates of weights and of biases of the official code (main.py).
Deviates: batch statistics of both views together; images are resized bilinearly.

The scales `cifar10` and `imagenet100` are those of solo-learn (scripts/pretrain/cifar/barlow.yaml, scripts/pretrain/imagenet-100/barlow.yaml;
lambda in methods/barlow_twins.py).
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.732, source='arXiv:2103.03230, Table 1, 1000 epochs', hardware='32 V100 GPUs', hours=124,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.921, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.8016, source='arXiv:2108.01775, README of solo-learn', hardware='2 RTX 2080 Ti', hours=14.3,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'cross-correlation of two views, driven to the identity: (1 - C_ii)^2 + 0.005 C_ij^2, the sum scaled by 0.05',
    'embeddings standardised over the batch, each view apart',
    'projector of three layers of 256 (paper: 8,192), batch norm in the hidden ones, a bias in each (official code: none)',
    'batch statistics of both views together before that (official code: each view apart); AdamW (paper: LARS)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey)',
    'linear probe and nearest neighbours on features before the projector',
    'blur and solarisation with other rates for each view; LARS with rates of its own for biases: at the scale imagenet',
    dict(part='fine-tuning on 1 % and 10 % of the labels; rows of batch sizes, projectors, augmentations', out='open', why='lambda 0 alone'),
    dict(part='ImageNet; transfer to Places, VOC, iNaturalist and COCO', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 1,000 epochs at batch 2,048', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 256, 256))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.redundancy = dict(name='barlow_twins', of=('views.q', 'views.k'), pairs=((0, 1),), weight=0.05)
  c.evaluators = dict(knn=dict(name='knn'), linear=dict(name='logistic'), isotropy=dict(name='isotropy'))
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='no_redundancy',
    also=(dict(metric='linear_top1', beats=('no_redundancy',), margin=0.01),),
    manipulation=dict(metric='isotropy_rank', beats=('no_redundancy',), margin=10.0),
    variants=dict(
      no_redundancy=('losses.redundancy.lam=0.0',),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=2048, epochs=1000)
  c.view = common.imagenet_views()
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.heads.projector = dict(name='mlp', widths=(8192, 8192, 8192), bias=False, final_bias=False)
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.redundancy = dict(name='barlow_twins', of=('views.q', 'views.k'), pairs=((0, 1),), lam=0.0051)
  rate = dict(name='cosine', peak=0.2, end=0.2 * 1e-3, warmup='10 epochs')
  biases = (dict(of=('*.bias', '*.scale'), rate=0.0048 / 0.2),)
  c.optimizer = dict(name='lars', form='byol', learning_rate=rate, per=256, weight_decay=1e-6, momentum=0.9, parts=biases)
  return c


def cifar10():
  return solo_learn(common.cifar10(rate=0.3, weight_decay=1e-4))


def imagenet100():
  return solo_learn(common.imagenet100(rate=0.3, weight_decay=1e-4))


def solo_learn(c):
  c.heads.projector = dict(name='mlp', widths=(2048, 2048, 2048))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.redundancy = dict(name='barlow_twins', of=('views.q', 'views.k'), pairs=((0, 1),), lam=0.0051, weight=0.1)
  return c
