"""BYOL. Grill et al., NeurIPS 2020. arXiv:2006.07733, Eq. 2 and section 3.2."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, batch_size=128)
  c.parts = (
    'squared distance of unit-length prediction and target projection, without negatives, both directions added',
    'projector and predictor of two layers, 512 and 128 (paper: 4,096 and 256), with batch norm in the hidden layer',
    'target encoder and projector: moving average, decay rising by a cosine from 0.9 to 1 (paper: from 0.996), without gradient',
    'batch statistics of both views together (official code: each view apart); AdamW (paper: LARS)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='blur and solarisation, with other rates for each view', out='open', why='both views are drawn alike'),
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
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
