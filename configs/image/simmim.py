"""SimMIM. Xie, Zhang, Cao, Lin, Bao, Yao, Dai, Hu, CVPR 2022. arXiv:2111.09886, section 3.

Deviates: mask unit of one patch, 4 pixels (paper 32 pixels): of 28 pixels that is the same share as 32 of 224.
Not held so far: it learns to fill patches in, and its last tokens tell less than those of the untrained network.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image_masked(scale, width=128)
  c.heads.decoder = dict(name='pixel_head')
  c.passes.seen = dict(name='masked_encode', hide='replace', mask=dict(name='random_mask', ratio=0.6))
  c.passes.rebuilt = dict(name='apply', network='decoder', on='seen.tokens')
  c.losses.rebuild = dict(name='masked_l1', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
