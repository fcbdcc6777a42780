"""A small ViT by MAE. He, Chen, Xie, Li, Dollar, Girshick, CVPR 2022. arXiv:2111.06377, section 3.

A start of two blocks for images of one channel that is not contrastive. What departs: 4,000 digits in place of ImageNet, patches of 4 pixels,
and small moves of each image in place of crops; fine-tuning is left out, and a linear probe tells what the encoder holds.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image_masked(scale, epochs=24, width=192)
  c.heads.decoder = common.mae_decoder(scale, width=64, depth=2, heads=4)
  c.passes.seen = dict(name='masked_encode', mask=dict(name='random_mask', ratio=0.75))
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.losses.rebuild = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  c.evaluators = dict(linear=dict(name='logistic'))
  c.claim = None
  return c
