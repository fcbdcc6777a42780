"""VICReg. Bardes, Ponce, LeCun, ICLR 2022. arXiv:2105.04906, Eq. 6 and Algorithm 1.

The scale `imagenet` is the ResNet-50 of the paper (section 4.2) with the official code (main_vicreg.py, augmentations.py; README, 1,000
epochs); the hours are from memory, ten times those of 100 epochs in the appendix. The scales `cifar10` and `imagenet100` are those of
solo-learn (scripts/pretrain/cifar/vicreg.yaml, scripts/pretrain/imagenet-100/vicreg.yaml), which adds the variances of two views
(losses/vicreg.py; here their mean, at twice the weight).
Deviates: batch statistics of both views together; images are resized bilinearly.
"""

from jssl.configs import common

SCALES = ('fashion_mnist',)
PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.732, source='arXiv:2105.04906, Table 1, 1000 epochs', hardware='32 V100 GPUs', hours=110,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.9207, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.794, source='arXiv:2108.01775, README of solo-learn', hardware='2 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'invariance: mean squared distance of two views, embeddings not normalised, weight 25',
    'variance: hinge on the standard deviation of each feature at 1, both views, weight 25',
    'covariance: squared entries off the diagonal over the number of features, both views added, weight 1; the sum scaled by 0.04',
    'expander of three layers of 256 (paper: 8,192), batch norm over both views (official code: each apart); AdamW (paper: LARS)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey)',
    'linear probe and nearest neighbours on features before the projector',
    'blur and solarisation with other rates for each view, LARS: at the scale imagenet',
    dict(part='branches of different weights, architectures or modalities', out='open', why='one network encodes both views'),
    dict(part='fine-tuning on 1 % and 10 % of the labels; rows without one term, other methods with it', out='open', why='without both alone'),
    dict(part='ImageNet; transfer to Places, VOC, iNaturalist and COCO', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 1,000 epochs at batch 2,048', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 256, 256))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.redundancy = dict(name='vicreg', of=('views.q', 'views.k'), pairs=((0, 1),), weight=0.04)
  c.evaluators = dict(knn=dict(name='knn'), linear=dict(name='logistic'), isotropy=dict(name='isotropy'))
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='invariance',
    also=(dict(metric='linear_top1', beats=('invariance',), margin=0.02),),
    manipulation=dict(metric='isotropy_rank', beats=('invariance',), margin=10.0),
    variants=dict(
      invariance=('losses.redundancy.variance_weight=0.0', 'losses.redundancy.covariance_weight=0.0'),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=2048, epochs=1000)
  c.view, c.inputs = common.imagenet_views(), dict(name='plain', size=224, **common.IMAGENET)
  c.evaluators.linear.update(learning_rates=(0.02,), epochs=100, batch_size=256)
  rate = dict(name='cosine', peak=0.2, end=0.2 * 1e-3, warmup='10 epochs')
  c.optimizer = dict(name='lars', form='byol', learning_rate=rate, per=256, weight_decay=1e-6, momentum=0.9)
  return regularised(c, width=8192, final_bias=False)


def cifar10():
  c = common.cifar10(rate=0.3, weight_decay=1e-4)
  c.view = common.cifar10_views(crop=dict(scale=(0.2, 1.0)), solarize=0.1)
  return regularised(c, width=2048, variance_weight=50.0)


def imagenet100():
  c = common.imagenet100(rate=0.3, weight_decay=1e-4)
  c.data.of.crop.scale = (0.2, 1.0)
  c.view = common.alike_views(jitter=common.MILD, solarize=0.1)
  return regularised(c, width=2048, variance_weight=50.0)


def regularised(c, *, width: int, final_bias: bool = True, **options):
  c.heads.projector = dict(name='mlp', widths=(width,) * 3, final_bias=final_bias)
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.redundancy = dict(name='vicreg', of=('views.q', 'views.k'), pairs=((0, 1),), **options)
  return c
