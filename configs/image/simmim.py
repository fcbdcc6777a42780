"""SimMIM. Xie, Zhang, Cao, Lin, Bao, Yao, Dai, Hu, CVPR 2022. arXiv:2111.09886, section 3.

Deviates: mask unit of one patch, 4 pixels (paper 32 pixels): of 28 pixels that is the same share as 32 of 224.
Not held so far: it learns to fill patches in, and its last tokens tell less than those of the untrained network.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image_masked(scale, width=128)
  c.parts = (
    '60 % of the patches masked at random; unit of one patch, 4 of 28 pixels (paper: 32 of 192 or 224)',
    'masked patches replaced by a learned token before the encoder, which reads all patches',
    'prediction head of one linear layer',
    'mean absolute error of raw pixels on masked patches alone',
    'light affine moves (paper: crops and flips)',
    'linear probe and nearest neighbours of the mean of the tokens',
    dict(part='Swin transformer with mask units of several patches', out='open', why='a vision transformer'),
    dict(part='fine-tuning with all labels, the protocol of the paper; rows of mask units, ratios, heads, targets', out='open', why='not run'),
    dict(part='ImageNet-1K and 22K; transfer to iNaturalist, COCO and ADE20K', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B, Swin-B to SwinV2-G, 800 epochs', out='scale', why='2 blocks of 128, 8 epochs'),
  )
  c.heads.decoder = dict(name='pixel_head')
  c.passes.seen = dict(name='masked_encode', hide='replace', mask=dict(name='random_mask', ratio=0.6))
  c.passes.rebuilt = dict(name='apply', network='decoder', on='seen.tokens')
  c.losses.rebuild = dict(name='masked_l1', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
