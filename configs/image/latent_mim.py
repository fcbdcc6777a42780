"""Latent MIM. Wei, Gupta, Morgado, ECCV 2024. arXiv:2407.15837, section 3.

Built: gaps between patches, a momentum encoder as the target that sees the hidden patches alone, patch discrimination, the
similarity constraint, whose target falls from 0.75 to 0.25 as in the official code, and the cross-attending decoder. The head ends
the encoder and the target; the decoder reads its output and has a linear end of its own. Representations are taken before the head.
Left out: the class token, which the encoder here does not have; the random place of a patch within its cell of the grid, as there
is one spare pixel and the official code draws none then.
Deviates: head of width 192 (official 4096): 4 times the width of the encoder, where the official one has 5 times.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.small_masked(scale, epochs=100)
  c.number = 2
  c.parts = (
    'gap of a pixel between patches of 2 (paper: 4 between patches of 16); 4 of 16 patches visible (official code: 20 of 196)',
    'target encoder and head: moving average, decay rising by a cosine from 0.99 to 1; it sees the hidden patches alone',
    'patch discrimination within an image, temperature 0.2; mean similarity of patches held at a target from 0.75 to 0.25, weight 0.1',
    'decoder of self- and cross-attention, 2 blocks (official code: 3), queries from positions and the visible tokens near by',
    'head of three layers, 192 wide (official code: 4,096), on encoder and target; representations before it',
    'nearest neighbours, linear and few-shot probes of the mean of the patch tokens; MAE and squared distance in latent space as rivals',
    dict(part='class token of the encoder, which the decoder reads too; crops and flips', out='open', why='patches alone, images as they are'),
    dict(part='unsupervised segmentation by clustering patches; fine-tuning', out='open', why='pooled features alone'),
    dict(part='ImageNet; video segmentation (DAVIS), few-shot transfer', out='data', why='no package ships them; digits of 8 pixels'),
    dict(part='ViT-B, 800 epochs', out='scale', why='2 blocks of 48, 100 epochs'),
  )
  # Patches with a gap of a pixel, so that neighbours do not give each other away.
  c.view = dict(name='gapped_patches', patch=2, gap=1, mean=0.3, std=0.35)
  c.heads.predictor = common.transformer(scale, 'cross_decoder', width=48, depth=2, heads=4, dim=48)
  c.heads.projector = dict(
    name='mlp', widths=(192, 192, 48), norm='layer', act='gelu', bias=False, final_bias=False, final_norm='layer',
  )  # fmt: skip
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  c.passes.seen = dict(name='masked_encode', mask=dict(name='random_mask', ratio=0.75))
  c.passes.shown = dict(name='apply', network='projector', on='seen.tokens')
  c.passes.told = dict(name='apply', network='predictor', on=('shown.out', 'seen.keep', 'seen.hidden'))
  c.passes.hidden = dict(name='encode', on='seen.x', keep='seen.hidden', teacher=True)
  c.passes.target = dict(name='apply', network='projector', on='hidden.tokens', teacher=True)
  c.losses.tell = dict(name='patch_discrimination', of=('told.out', 'target.out'), temperature=0.2)
  falling = dict(name='rise', start=0.75, end=0.25)
  c.losses.alike = dict(name='patch_similarity', of=('told.out',), target=falling, weight=0.1)
  c.losses.alike_seen = dict(name='patch_similarity', of=('shown.out',), target=falling, weight=0.1)
  c.evaluators.knn = dict(name='knn')
  c.claim = dict(
    metric='knn_top1',
    beats=('raw_input', 'random_init', 'mae', 'latent_mse'),
    margin=0.02,
    variants=dict(
      mae=(
        'losses.tell={"name": "masked_mse", "of": ("told.out", "seen.patches", "seen.mask")}',
        'losses.alike.weight=0.0',
        'losses.alike_seen.weight=0.0',
        'passes.told={"name": "apply", "network": "predictor", "on": ("seen.tokens", "seen.restore")}',
        'heads.predictor={"name": "mae_decoder", "width": 48, "depth": 2, "heads": 4, "dim": None}',
      ),
      latent_mse=('losses.tell.name=latent_l2', 'losses.alike.weight=0.0', 'losses.alike_seen.weight=0.0'),
    ),
  )
  return c
