"""MAE. He, Chen, Xie, Li, Dollar, Girshick, CVPR 2022. arXiv:2111.06377, section 3.

Its encoder sees a quarter of the patches, so that it may be wide.
"""

from jssl.configs import common

SCALES = ('fashion_mnist',)


def get_config(scale='small'):
  c = common.image_masked(scale, epochs=24, width=192)
  c.heads.decoder = common.mae_decoder(scale, width=64, depth=2, heads=4)
  c.passes.seen = dict(name='masked_encode', mask=dict(name='random_mask', ratio=0.75))
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.losses.rebuild = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
