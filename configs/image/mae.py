"""MAE. He, Chen, Xie, Li, Dollar, Girshick, CVPR 2022. arXiv:2111.06377, section 3.

Its encoder sees a quarter of the patches, so that it may be wide.
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
    'linear probe and nearest neighbours of the mean of the patch tokens (paper: class token or mean)',
    dict(part='class token in encoder and decoder', out='open', why='patches alone'),
    dict(part='fine-tuning with all labels; rows of mask ratios, kinds of mask, decoders, targets', out='open', why='not run'),
    dict(part='ImageNet; transfer to COCO, ADE20K, iNaturalist and Places', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B to ViT-H, 800 and 1,600 epochs', out='scale', why='2 blocks of 192, 24 epochs'),
  )
  c.heads.decoder = common.mae_decoder(scale, width=64, depth=2, heads=4)
  c.passes.seen = dict(name='masked_encode', mask=dict(name='random_mask', ratio=0.75))
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.losses.rebuild = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
