"""EnCodecMAE. Pepino, Riera, Ferrer, 2023. arXiv:2309.07391, section 2.

Codebooks are of 16 entries, so that the first one alone does not tell the vowels apart, and weigh the same, not by their
shares of the error.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='vowels', batch_size=32, epochs=24)
  c.data.entries, c.data.levels = 16, (8.0, 20.0)
  c.number = 37
  c.parts = (
    'half of the frames masked in gaps of 8 (paper: 15) and removed before the encoder',
    'transformer encoder of log-mel frames, sinusoidal positions; decoder with a learned token for masked frames (official code: zeros)',
    'codes of all codebooks classified for each frame: 4 of 16 entries (paper: 8 of 1,024)',
    'targets by residual k-means of the frames, in the place of the EnCodec quantiser',
    'cross-entropy of masked frames weighs 0.9, of visible ones 0.1; codebooks a quarter each (paper: by their shares of the error)',
    'mean over frames as the feature of a clip, linear probes; rivals: the frames themselves as targets, the first codebook alone',
    dict(part='second stage: clusters of its own states as further targets', out='open', why='not implemented'),
    dict(part='EnCodec as the source of inputs and targets', out='data', why='no package ships its weights'),
    dict(part='AudioSet, Free Music Archive and LibriLight; the HEAR tasks', out='data', why='no package ships them; synthetic vowels'),
    dict(part='10 layers of 768, decoder of 2, 500,000 steps', out='scale', why='2 layers of 32, decoder of one, 24 epochs'),
  )
  c.backbone = common.transformer(scale, 'frame_transformer', temperature=64.0, width=32, depth=2, heads=4)
  c.view = dict(name='columns', names=('frames',))
  c.heads.decoder = common.mae_decoder(scale, width=32, depth=1, heads=4, dim=64)  # 4 codebooks of 16
  gaps = dict(name='gap_mask', ratio=0.5, gap=8)
  c.passes.seen = dict(name='masked_encode', mask=gaps)
  c.passes.told = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.losses.codes = dict(
    name='codebook_cross_entropy', of=dict(logits='told.out', codes='batch.codes', mask='seen.mask'),
    weights=(0.25, 0.25, 0.25, 0.25), masked_weight=0.9,
  )  # fmt: skip
  c.optimizer.learning_rate.peak = 3e-3
  c.optimizer.b2 = 0.95
  c.evaluators = dict(linear=dict(name='logistic'), fewshot=dict(name='fewshot'))
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('raw_input', 'random_init', 'frames', 'first_codebook'),
    margin=0.01,
    variants=dict(
      frames=(  # the log-mel frames themselves in place of their codes
        'losses.codes={"name": "masked_mse", "normalize": False, "of": ("told.out", "seen.patches", "seen.mask")}',
        'heads.decoder.dim=None',
      ),
      first_codebook=('losses.codes.weights=(1.0, 0.0, 0.0, 0.0)',),
    ),
  )
  return c
