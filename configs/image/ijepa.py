"""I-JEPA. Assran, Duval, Misra, Bojanowski, Vincent, Rabbat, LeCun, Ballas, CVPR 2023. arXiv:2301.08243, section 3.

The scale `imagenet` is the ViT-H/14 of Table 1, with the constants of in1k_vith14_ep300.yaml of the official code.
Deviates: kernels of the predictor are divided by depth (official: then drawn anew); masks as in `block_mask`; linear probing of the mean of the
last tokens alone (paper: or of the last four blocks joined); images are resized bilinearly.
Not held so far: its features tell less than those of the untrained network.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.793, source='arXiv:2301.08243, Table 1, ViT-H/14, 300 epochs', hardware='16 A100 GPUs', hours=72,
  ),
)  # fmt: skip


def get_config(scale='small'):
  full = scale == 'imagenet'
  c = published() if full else common.image_masked(scale)
  c.parts = (
    'four target blocks of 0.15 to 0.2 of the grid, aspect 0.75 to 1.5; one context of 0.85 to 1 without their patches',
    'context cut to 12 of 49 patches, the first in raster order (official code: to the smallest of the batch)',
    'narrow predictor with mask tokens and positions, each block on its own: 2 blocks of 64 (paper: 6 or 12 of 384)',
    'smooth L1 distance (paper: squared L2) to tokens of the teacher on the whole image, normalised, as in the official code',
    'teacher: moving average, decay rising by a cosine from 0.996 to 1 (official code: linearly)',
    "light affine moves (official code: crops alone); probes of the mean of the teacher's tokens",
    'weight decay rising from 0.04 to 0.4, decay of the teacher rising linearly, crops alone: at the scale imagenet',
    dict(part='1 % of the labels; counting and depth on Clevr; rows of masks, predictors', out='open', why='pixels as targets alone'),
    dict(part='ImageNet-1K and 22K; transfer to CIFAR-100, Places, iNaturalist', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B to ViT-G, 300 and 600 epochs', out='scale', why='2 blocks of 96, 8 epochs'),
  )
  if not full:
    c.optimizer.learning_rate.peak = 1e-3
    c.heads.predictor = dict(name='ijepa_predictor', width=64, depth=2, heads=4)
    c.teacher = dict(name='ema', decay=dict(name='rise', start=0.996), networks=('backbone',))
  c.passes.seen = dict(name='masked_encode', mask=dict(name='block_mask'))
  c.passes.told = dict(name='jepa', context='seen.tokens', keep='seen.keep', targets='seen.targets', weight='seen.weight', x='seen.x')
  c.losses.predict = dict(name='smooth_l1', of=dict(q='told.prediction', k='told.target', mask='told.mask'))
  c.represent = dict(from_teacher=True)
  # Nothing follows a teacher then: features are the trained network's own.
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='pixels',
    also=(dict(metric='linear_top1', beats=('pixels',), margin=0.02),),
    variants=dict(
      pixels=('passes.told.whole=seen.patches', 'passes.told.x=None', 'heads.predictor.dim=16', 'represent={}'),
    ),
  )  # fmt: skip
  return c


def published():
  c = common.imagenet_masked(batch_size=2048, epochs=300)
  c.data.crop.scale = (0.3, 1.0)
  c.view.flip = 0.0  # use_horizontal_flip: false
  c.backbone = dict(name='vit_huge', patch=14, pool='mean', positions='sincos', mask_token=False)
  c.heads.predictor = dict(name='ijepa_predictor', width=384, depth=12, heads=16)  # heads as in the encoder, helper.py
  c.teacher = dict(name='ema', decay=dict(name='linear', start=0.996, end=1.0), networks=('backbone',))
  rate = dict(name='cosine', peak=1e-3, start=2e-4, end=1e-6, warmup='40 epochs')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=dict(name='rise', start=0.04, end=0.4))
  return c
