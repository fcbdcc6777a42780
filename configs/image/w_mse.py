"""W-MSE. Ermolov, Siarohin, Sangineto, Sebe, ICML 2021. arXiv:2007.06346, section 3.

The scale `cifar10` is that of solo-learn (scripts/pretrain/cifar/wmse.yaml), `imagenet100` that of the official code (README, W-MSE 2; cfg.py,
train.py), whose figure is from memory.
Deviates: weight decay of 1e-6 apart from the moments, by AdamW (both codes: L2, by Adam); sub-batches in the order of the shuffled batch;
the covariance is shrunk by 1e-4 (both codes: by 0); at imagenet100 crops come before colours (official: after).
"""

from jssl.configs import common

PUBLISHED = dict(
  cifar10=dict(
    metric='linear_top1', value=0.8867, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.76, source='arXiv:2007.06346, Table 3, W-MSE 2', hardware='1 GPU', hours=None,
  ),
)  # fmt: skip


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
  c.evaluators = dict(knn=dict(name='knn'), linear=dict(name='logistic'), isotropy=dict(name='isotropy'))
  unwhitened = dict(name='byol', of=('views.q', 'views.k'), pairs='all', weight=2.0)  # weight 2: gradients of one side alone
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='unwhitened',
    also=(dict(metric='linear_top1', beats=('unwhitened',), margin=0.02),),
    manipulation=dict(metric='isotropy_rank', beats=('unwhitened',), margin=10.0),
    variants=dict(
      unwhitened=(f'losses.match={unwhitened}',),
    ),
  )  # fmt: skip
  return c


def cifar10():
  c = common.cifar10(name='adamw', rate=2e-3, weight_decay=1e-6)
  c.optimizer.learning_rate.start = 0.0
  c.view = common.cifar10_views(crop=dict(scale=(0.2, 1.0)), jitter=common.STRONG)
  return whitened(c, dim=64)


def imagenet100():
  c = common.imagenet100(batch_size=512, epochs=240, name='adamw', rate=2e-3, weight_decay=1e-6)
  rate = dict(name='steps', peak=2e-3, milestones=('190 epochs', '215 epochs'), gamma=0.2, warmup=500)
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=1e-6)
  c.view = common.alike_views(jitter=common.STRONG)
  return whitened(c, dim=128)


def whitened(c, dim: int):
  c.heads.projector = dict(name='mlp', widths=(1024, dim))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.match = dict(name='w_mse', of=('views.q', 'views.k'), pairs=((0, 1),), size=2 * dim)
  return c
