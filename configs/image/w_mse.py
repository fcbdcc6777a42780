"""W-MSE. Ermolov, Siarohin, Sangineto, Sebe, ICML 2021. arXiv:2007.06346, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.image(scale)
  c.parts = (
    'embeddings whitened by the Cholesky factor of their covariance, each view apart, in sub-batches of 128 for 64 dimensions',
    'covariance shrunk by 1e-4 towards its mean variance (official code: not at all)',
    'squared distance of whitened embeddings of unit length, without negatives, predictor or momentum encoder',
    'projector of two layers, 256 and 64 (official code: 1,024 and 64), with batch norm; AdamW (official code: Adam)',
    'sub-batches in the order of the shuffled batch (official code: a permutation drawn at each step)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour and grey)',
    'linear probe and nearest neighbours, their number chosen on validation data (paper: 5)',
    dict(part='four views an image (W-MSE 4), several permutations a step; contrast and BYOL as rivals', out='open', why='none is run'),
    dict(part='CIFAR-10, CIFAR-100, STL-10, Tiny ImageNet, ImageNet-100', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-18, 1,000 epochs at batch 512', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  # Whitening needs twice as many rows as features; with fewer it divides by rounding errors.
  c.heads.projector = dict(name='mlp', widths=at(small=(256, 64), tiny=(16, 4)))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.match = dict(name='w_mse', of=('views.q', 'views.k'), pairs=((0, 1),), size=at(small=128, tiny=8))
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
