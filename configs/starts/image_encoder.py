"""A small ViT by MAE. He, Chen, Xie, Li, Dollar, Girshick, CVPR 2022. arXiv:2111.06377, section 3.

A start of two blocks for images of one channel that is not contrastive. What departs: 4,000 digits in place of ImageNet, patches of 4 pixels,
and small moves of each image in place of crops; fine-tuning is left out, and a linear probe tells what the encoder holds.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image_masked(scale, epochs=24, width=192)
  c.parts = (
    'three quarters of the patches masked at random, and removed before the encoder',
    'decoder on visible tokens and a learned mask token, with positions: 2 blocks of 64 (paper: 8 of 512)',
    'mean squared error on masked patches alone, each patch standardised',
    'sine-cosine positions; AdamW with beta 0.9 and 0.95',
    'light affine moves (paper: crops and flips alone)',
    'linear probe of the mean of the patch tokens (paper: class token or mean)',
    dict(part='class token in encoder and decoder', out='open', why='patches alone'),
    dict(part='fine-tuning with all labels', out='open', why='a start for others; its features are probed frozen'),
    dict(part='ImageNet; transfer to COCO, ADE20K, iNaturalist and Places', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B to ViT-H, 800 and 1,600 epochs', out='scale', why='2 blocks of 192, 24 epochs'),
  )
  c.heads.decoder = common.mae_decoder(scale, width=64, depth=2, heads=4)
  c.passes.seen = dict(name='masked_encode', mask=dict(name='random_mask', ratio=0.75))
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.losses.rebuild = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  c.evaluators = dict(linear=dict(name='logistic'))
  c.claim = None
  return c
