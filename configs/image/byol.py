"""BYOL. Grill et al., NeurIPS 2020. arXiv:2006.07733, Eq. 2 and section 3.2.

The scale `imagenet` is the ResNet-50 of the paper (section 3.3, appendices B and C) with the presets for 1,000 epochs of the official code
(byol/configs/byol.py, byol/utils/networks.py). The scales `cifar10` and `imagenet100` are those of solo-learn
(scripts/pretrain/cifar/byol.yaml, scripts/pretrain/imagenet-100/byol.yaml).
Deviates: batch statistics of both views together; images are resized bilinearly.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.743, source='arXiv:2006.07733, Table 1; README of the code', hardware='512 TPU v3 cores', hours=8,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.9258, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.8032, source='arXiv:2108.01775, README of solo-learn', hardware='2 RTX 2080 Ti', hours=16.9,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, batch_size=128)
  c.parts = (
    'squared distance of unit-length prediction and target projection, without negatives, both directions added',
    'projector and predictor of two layers, 512 and 128 (paper: 4,096 and 256), batch norm in the hidden one, a last bias (official: none)',
    'target encoder and projector: moving average, decay rising by a cosine from 0.9 to 1 (paper: from 0.996), without gradient',
    'batch statistics of both views together (official code: each view apart); AdamW (paper: LARS)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey)',
    'linear probe and nearest neighbours on features before the projector',
    'blur and solarisation with other rates for each view, LARS: at the scale imagenet',
    dict(part='fine-tuning on 1 % and 10 % of the labels; rows of batch sizes, augmentations, without a target', out='open', why='not run'),
    dict(part='ImageNet; transfer to classification, segmentation, detection and depth', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50 to ResNet-200, 1,000 epochs at batch 4,096', out='scale', why='a convnet, 20 epochs at batch 128'),
  )
  c.optimizer.learning_rate.peak = 4e-3
  c.heads.projector = dict(name='mlp', widths=(512, 128))
  c.heads.predictor = dict(name='mlp', on='projector', widths=(512, 128))
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.9), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.match = dict(name='byol', of=('views.q', 'views.k'), pairs='all', weight=2.0)
  c.evaluators = dict(knn=dict(name='knn'), linear=dict(name='logistic'), isotropy=dict(name='isotropy'))
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='no_predictor',
    also=(dict(metric='linear_top1', beats=('no_predictor',), margin=0.02),),
    manipulation=dict(metric='isotropy_rank', beats=('no_predictor',), margin=5.0),
    variants=dict(
      no_predictor=('passes.views.predictor=None',),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=4096, epochs=1000)
  c.view, c.inputs = common.imagenet_views(), dict(name='plain', size=224, **common.IMAGENET)
  rate = dict(name='cosine', peak=0.2, warmup='10 epochs')
  c.optimizer = dict(name='lars', form='byol', learning_rate=rate, per=256, weight_decay=1.5e-6, momentum=0.9)
  return bootstrapped(c, projector=(4096, 256), predictor=(4096, 256), decay=0.996, final_bias=False)


def cifar10():
  return bootstrapped(common.cifar10(rate=1.0, weight_decay=1e-5), projector=(4096, 256), predictor=(4096, 256), decay=0.99)


def imagenet100():
  return bootstrapped(common.imagenet100(rate=0.5, weight_decay=1e-6), projector=(4096, 256), predictor=(8192, 256), decay=0.99)


def bootstrapped(c, *, projector: tuple[int, ...], predictor: tuple[int, ...], decay: float, **options):
  c.heads.projector = dict(name='mlp', widths=projector, **options)
  c.heads.predictor = dict(name='mlp', on='projector', widths=predictor, **options)
  c.teacher = dict(name='ema', decay=dict(name='rise', start=decay), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.match = dict(name='byol', of=('views.q', 'views.k'), pairs='all', weight=2.0)
  return c
