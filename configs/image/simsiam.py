"""SimSiam. Chen, He, CVPR 2021. arXiv:2011.10566, Algorithm 1.

The scale `imagenet` is the paper's default (section 3) with the official code (main_simsiam.py, simsiam/builder.py), for 100 epochs. The
scales `cifar10` and `imagenet100` are those of solo-learn (scripts/pretrain/cifar/simsiam.yaml, scripts/pretrain/imagenet-100/simsiam.yaml).
Deviates: the rate of the predictor follows the cosine, the baseline of Table 1 (with it held constant: 68.1; so does solo-learn); batch
statistics of both views together; the cosine falls in each step (official code: epoch). The figure of the baseline is from memory.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.677, source='arXiv:2011.10566, Table 1, baseline, 100 epochs', hardware='8 GPUs', hours=None,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.9051, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.7872, source='arXiv:2108.01775, README of solo-learn', hardware='2 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, batch_size=128, epochs=30)
  c.parts = (
    'negative cosine of a prediction and the projection of the other view, both directions; stop-gradient on the projection',
    'projector of three layers of 256 (paper: 2,048), batch norm after each, the last without scale and shift',
    'predictor of two layers with a bottleneck, 64 of 256 (paper: 512 of 2,048), batch norm in the hidden one',
    'batch statistics of both views together (official code: each view apart); AdamW (paper: SGD)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey and blur)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='rows without stop-gradient or batch norm, and of batch sizes', out='open', why='no predictor alone'),
    dict(part='learning rate of the predictor held constant', out='open', why='one cosine schedule for all networks'),
    dict(part='ImageNet; transfer to detection on VOC and COCO', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 100 to 800 epochs', out='scale', why='a convnet, 30 epochs'),
  )
  c.optimizer.learning_rate.peak = 2e-3
  c.heads.projector = dict(name='mlp', widths=(256, 256, 256), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(64, 256))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.match = dict(name='negative_cosine', of=('views.q', 'views.k'), pairs='all')
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
  c = common.imagenet(batch_size=512, epochs=100)
  c.data.crop.scale = (0.2, 1.0)
  c.view, c.inputs = common.alike_views(), dict(name='plain', size=224, **common.IMAGENET)
  c.evaluators.linear.update(optimizer='lars', learning_rates=(0.1,))
  rate = dict(name='cosine', peak=0.05)
  c.optimizer = dict(name='sgd', learning_rate=rate, per=256, momentum=0.9, weight_decay=1e-4, parts=common.ALL_DECAYED)
  return siamese(c)


def cifar10():
  c = common.cifar10(name='sgd', rate=0.5, weight_decay=1e-5)
  c.view = common.cifar10_views(jitter=common.WEAK, blur=dict(p=0.5, radius=6))
  return siamese(c)


def imagenet100():
  return siamese(common.imagenet100(name='sgd', rate=0.5, weight_decay=1e-5))


def siamese(c):
  c.heads.projector = dict(name='mlp', widths=(2048, 2048, 2048), bias=False, final_bias=False, final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(512, 2048), bias=False)
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.match = dict(name='negative_cosine', of=('views.q', 'views.k'), pairs='all')
  return c
