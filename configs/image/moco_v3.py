"""MoCo v3. Chen, Xie, He, ICCV 2021. arXiv:2104.02057, Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'InfoNCE among the keys of the batch, no queue, temperature 0.2, scaled by 2 tau, both directions added',
    'momentum encoder and projector, decay rising by a cosine from 0.99 to 1',
    'projector of two layers, 256 and 64, that ends in batch norm without scale and shift, as in the official ResNet (4,096 and 256)',
    'predictor of two layers on the query alone; batch statistics of both views together (official code: each apart)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey); linear probe before the projector',
    dict(part='vision transformer with a patch projection that is random and frozen, for stability', out='open', why='a convnet'),
    dict(part='blur and solarisation, with other rates for each view', out='open', why='both views are drawn alike'),
    dict(part='fine-tuning with all labels; rows of positions, class token, batch norm', out='open', why='none is run'),
    dict(part='ImageNet; transfer to CIFAR, Flowers and Pets', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-S to ViT-H, 300 epochs at batch 4,096', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 64), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(256, 64))
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  # 4 tau: the paper's 2 tau for each of its two directions.
  c.losses.nce = dict(name='info_nce', of=('views.q', 'views.k'), pairs='all', temperature=0.2, weight=0.8)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
