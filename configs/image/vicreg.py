"""VICReg. Bardes, Ponce, LeCun, ICLR 2022. arXiv:2105.04906, Eq. 6 and Algorithm 1."""

from jssl.configs import common

SCALES = ('fashion_mnist',)


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'invariance: mean squared distance of two views, embeddings not normalised, weight 25',
    'variance: hinge on the standard deviation of each feature at 1, both views, weight 25',
    'covariance: squared entries off the diagonal over the number of features, both views added, weight 1; the sum scaled by 0.04',
    'expander of three layers of 256 (paper: 8,192), batch norm over both views (official code: each apart); AdamW (paper: LARS)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='blur and solarisation; branches of different weights, architectures or modalities', out='open', why='both views alike'),
    dict(part='fine-tuning on 1 % and 10 % of the labels; rows without a term, other methods with the variance', out='open', why='not run'),
    dict(part='ImageNet; transfer to Places, VOC, iNaturalist and COCO', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 1,000 epochs at batch 2,048', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 256, 256))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.redundancy = dict(name='vicreg', of=('views.q', 'views.k'), pairs=((0, 1),), weight=0.04)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
