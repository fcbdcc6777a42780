"""ViC-MAE. Hernandez, Villegas, Ordonez, ECCV 2024. arXiv:2303.12001, section 3.

Contrast weighs .15, not .03 as in the paper: so small a network learns little from what is hidden alone.
"""

from jssl.configs import common


def get_config():
  c = common.small_masked(data='moving_digits', patch=4, epochs=14)
  c.number = 65
  # Digits that stay in sight of a network this small: a narrow frame, slow steps, a faint background.
  c.data.update(side=16, speed=1.0, background=0.2)
  c.view = dict(name='frames', mean=0.3, std=0.35)
  c.heads.decoder = dict(name='mae_decoder', width=32, depth=1, heads=4)
  c.heads.projector = dict(name='mlp', widths=(128, 128, 64))
  half = dict(name='random_mask', ratio=0.5)
  c.terms.both = dict(
    name='hybrid', masks=dict(first=half, second=half), weights=dict(rebuild=0.85, contrast=0.15),
    objectives=dict(rebuild=dict(name='masked_mse'), contrast=dict(name='nt_xent', temperature=0.1)),
  )
  c.claim = dict(
    metric='fewshot_top1_10shot', beats=('random_init', 'mae', 'simclr'), margin=0.01, seeds=3,
    variants=dict(
      mae=('terms.both.weights.contrast=0.0',),
      # Nothing hidden, nothing rebuilt.
      simclr=(
        'terms.both.weights.rebuild=0.0', 'terms.both.weights.contrast=1.0',
        'terms.both.masks.first.ratio=0.0', 'terms.both.masks.second.ratio=0.0',
      ),
    ),
  )
  return c
