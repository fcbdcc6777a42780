"""I-JEPA. Assran, Duval, Misra, Bojanowski, Vincent, Rabbat, LeCun, Ballas, CVPR 2023. arXiv:2301.08243, section 3.

Not held so far: its features tell less than those of the untrained network.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image_masked(scale)
  c.parts = (
    'four target blocks of 0.15 to 0.2 of the grid, aspect 0.75 to 1.5; one context of 0.85 to 1 without their patches',
    'context cut to 12 of 49 patches, the first in raster order (official code: to the smallest of the batch)',
    'narrow predictor with mask tokens and positions, each block on its own: 2 blocks of 64 (paper: 6 or 12 of 384)',
    'smooth L1 distance (paper: squared L2) to tokens of the teacher on the whole image, normalised, as in the official code',
    'teacher: moving average, decay rising by a cosine from 0.996 to 1 (official code: linearly)',
    "light affine moves (official code: crops alone); probes of the mean of the teacher's tokens",
    dict(part='weight decay rising from 0.04 to 0.4', out='open', why='constant'),
    dict(part='1 % of the labels; counting and depth on Clevr; rows of masks, pixels as targets, predictors', out='open', why='not run'),
    dict(part='ImageNet-1K and 22K; transfer to CIFAR-100, Places, iNaturalist', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B to ViT-G, 300 and 600 epochs', out='scale', why='2 blocks of 96, 8 epochs'),
  )
  c.optimizer.learning_rate.peak = 1e-3
  c.heads.predictor = dict(name='ijepa_predictor', width=64, depth=2, heads=4)
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.996), networks=('backbone',))
  c.passes.seen = dict(name='masked_encode', mask=dict(name='block_mask'))
  c.passes.told = dict(name='jepa', context='seen.tokens', keep='seen.keep', targets='seen.targets', weight='seen.weight', x='seen.x')
  c.losses.predict = dict(name='smooth_l1', of=dict(q='told.prediction', k='told.target', mask='told.mask'))
  c.represent = dict(from_teacher=True)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
