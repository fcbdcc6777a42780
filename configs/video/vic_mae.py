"""ViC-MAE. Hernandez, Villegas, Ordonez, ECCV 2024. arXiv:2303.12001, section 3.

Contrast weighs .15, not .03 as in the paper: so small a network learns little from what is hidden alone.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.small_masked(scale, data='moving_digits', patch=4, epochs=14)
  c.number = 65
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
    beats=('random_init', 'mae', 'simclr'),
    margin=0.01,
    variants=dict(
      mae=('losses.contrast.weight=0.0',),
      # Nothing hidden, nothing rebuilt.
      simclr=('losses.rebuild.weight=0.0', 'losses.contrast.weight=1.0', 'passes.seen.mask.ratio=0.0'),
    ),
  )
  return c
