"""VICRegL. Bardes, Ponce, LeCun, NeurIPS 2022. arXiv:2210.01571, section 3.

The scale `imagenet` is the ResNet-50 of 300 epochs of the official README (multi-node training), alpha = 0.75.
Deviates: at that scale crops are drawn from images scaled to 256 pixels, whose positions are then known (official code: from the images as they
are stored). Locations follow flips, as in the paper; the official code ignores flips by default (--no-flip-grid 1).
Left out: the classifier that the official code trains beside, without gradient to the network.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.704, source='arXiv:2210.01571, README of the official code, alpha 0.75', hardware='4 nodes of 8 GPUs',
    hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = published() if scale == 'imagenet' else scenes(scale)
  c.parts = (
    'global VICReg of pooled features after an expander, weight alpha = 0.75; covariance a mean over views, as in the official code',
    'local VICReg of places after an expander of their own, weight 1 - alpha = 0.25: over the batch at each place of matches',
    'matches by location: for each place the nearest of the other view, the 6 nearest one way and 1 back (official code: 20 and 4 of 49)',
    'matches by features: for each place the most similar of the other view, all of them, as in the official code (paper: the best 20)',
    'both orders of the two views; each view encoded apart, with batch statistics of its own',
    'expanders of three layers of 128 and of 64 (paper: 8,192 and 512), batch norm; AdamW (paper: LARS)',
    'views by crops, brightness and contrast (paper: also flips, colour, grey, blur, solarisation: at the scale imagenet)',
    'linear classification of the places of frozen maps (paper: linear segmentation)',
    dict(part='multi-crop with small views, for ConvNeXt', out='open', why='two views, as for ResNet-50'),
    dict(part='rows of alpha, gamma and kinds of matching', out='open', why='not run'),
    dict(part='ImageNet; segmentation on VOC, Cityscapes and ADE20k', out='data', why='scenes of digits'),
    dict(part='ResNet-50 and ConvNeXt-S to XL, 300 to 400 epochs', out='scale', why='a convnet, 8 epochs'),
  )
  c.passes.drawn = dict(name='place')
  for i in (0, 1):
    c.passes[f'view{i}'] = dict(name='encode', on=f'drawn.x[{i}]')
    c.passes[f'pooled{i}'] = dict(name='apply', network='projector', on=f'view{i}.pooled')
    c.passes[f'grid{i}'] = dict(name='apply', network='dense', on=f'view{i}.tokens')
  c.losses.whole = dict(name='vicreg', of=('pooled0.out', 'pooled1.out'), covariance_weight=0.5, weight=0.75)
  matches, back = common.at(scale)(small=(6, 1), imagenet=(20, 4))
  for i, j in ((0, 1), (1, 0)):
    of = dict(q_grid=f'grid{i}.out', k_grid=f'grid{j}.out', q_places=f'drawn.places[{i}]', k_places=f'drawn.places[{j}]')
    c.losses[f'local{i}'] = dict(name='vicreg_local', of=of, matches=matches, back=back, weight=0.125)
  c.watch = ('pooled0.out', 'pooled1.out')
  c.claim = dict(
    metric='dense_top1', beats=('random_init', 'vicreg'), margin=0.02, without='vicreg',
    manipulation=dict(metric='places_top1', beats=('vicreg',), margin=0.05),
    variants=dict(vicreg=('losses.local0.weight=0.0', 'losses.local1.weight=0.0')),
  )  # fmt: skip
  return c


def scenes(scale: str):
  c = common.scenes(scale, epochs=8)
  c.heads.projector = dict(name='mlp', widths=(128, 128, 128), final_bias=False)
  c.heads.dense = dict(name='mlp', widths=(64, 64, 64), final_bias=False)
  return c


def published():
  c = common.imagenet(batch_size=2048, epochs=300)
  c.view = common.imagenet_views() | dict(size=224, crop=dict(scale=(0.08, 1.0)))
  c.data.crop = None
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.heads.projector = dict(name='mlp', widths=(8192, 8192, 8192), final_bias=False)
  c.heads.dense = dict(name='mlp', widths=(512, 512, 512), final_bias=False)
  c.optimizer.learning_rate = dict(name='cosine', peak=0.2 * 2048 / 256, end=0.2 * 2048 / 256 * 1e-3, warmup='10 epochs')
  return c
