"""ViC-MAE. Hernandez, Villegas, Ordonez, ECCV 2024. arXiv:2303.12001, section 3.

Contrast weighs .15, not .03 as in the official code: so small a network learns little from what is hidden alone.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.small_masked(scale, data='moving_digits', patch=4, epochs=14)
  c.number = 65
  c.parts = (
    'two frames of a clip at random as two views, each masked by 0.5, one encoder of single images',
    'each frame rebuilt by one decoder: standardised patches, masked ones alone, mean of both frames, weight 0.85 (official code: 0.97)',
    'NT-Xent of the mean of visible patch tokens through a projector, temperature 0.1, weight 0.15 (official code: 0.03)',
    'projector of three layers, 128, 128 and 64 (official code: 4,096, 4,096 and 128), with batch norm',
    'linear and few-shot probes of one frame; MAE alone and contrast alone, without masks, as rivals',
    dict(part='images with two augmentations beside clips in a batch', out='open', why='clips alone'),
    dict(part='crops, flips and colour; class token', out='open', why='frames as they are, patches alone'),
    dict(part='fine-tuning on images and, with several frames, on actions', out='open', why='features are probed frozen'),
    dict(part='Kinetics, Moments in Time, ImageNet; Something-Something', out='data', why='no package ships them; moving digits'),
    dict(part='ViT-B and ViT-L, decoder of 8 blocks of 512, 800 epochs', out='scale', why='2 blocks of 48, decoder of one of 32, 14 epochs'),
  )
  # Digits that stay in sight of a network this small: a narrow frame, slow steps, a faint background.
  c.data.update(side=16, speed=1.0, background=0.2)
  c.view = dict(name='frames', mean=0.3, std=0.35)
  c.heads.decoder = common.mae_decoder(scale, width=32, depth=1, heads=4)
  c.heads.projector = dict(name='mlp', widths=(128, 128, 64))
  half = dict(name='random_mask', ratio=0.5)
  c.passes.seen = dict(name='masked_encode', mask=half)
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.passes.code = dict(name='apply', network='projector', on='seen.pooled')
  c.losses.rebuild = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'), over='views', weight=0.85)
  c.losses.contrast = dict(name='nt_xent', of=('code.out', 'code.out'), pairs='all', temperature=0.1, weight=0.15)
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('raw_input', 'random_init', 'mae', 'simclr'),
    margin=0.01,
    variants=dict(
      mae=('losses.contrast.weight=0.0',),
      # Nothing hidden, nothing rebuilt.
      simclr=('losses.rebuild.weight=0.0', 'losses.contrast.weight=1.0', 'passes.seen.mask.ratio=0.0'),
    ),
  )
  return c
