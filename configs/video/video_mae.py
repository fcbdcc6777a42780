"""VideoMAE. Tong, Song, Wang, Wang, NeurIPS 2022. arXiv:2203.12602, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='moving_digits', batch_size=32, epochs=18)
  c.parts = (
    'tube masks: the same places in all frames, half of them (paper: 0.9), removed before the encoder',
    'tubelets of 2 frames and 4x4 pixels (paper: 2 and 16x16); attention over space and time together',
    'decoder on visible tokens and mask tokens, one block of the width of the encoder (paper: 4 of half the width)',
    'mean squared error on masked tubelets alone, each standardised',
    'all 8 frames of a clip (paper: 16, every second or fourth)',
    'linear and few-shot probes of the mean of the tokens; random masks of the same ratio as the rival',
    dict(part='several samples of a clip in a batch; crops and flips', out='open', why='one, as it is'),
    dict(part='fine-tuning on actions, the protocol of the paper; rows of masks, decoders, targets', out='open', why='not run'),
    dict(part='Kinetics, Something-Something, UCF101, HMDB51; detection on AVA', out='data', why='no package ships them; moving digits'),
    dict(part='ViT-B to ViT-H, 800 to 3,200 epochs', out='scale', why='2 blocks of 48, 18 epochs'),
  )
  # A narrow frame and digits that hardly move, in many frames: the same place at another time gives away what is hidden.
  c.data.update(frames=8, side=16, speed=0.1, background=0.0)
  c.backbone = dict(
    name='tubelet_vit', on='data.clip', temperature=10.0,
    **common.at(scale)(small=dict(width=48, depth=2, heads=4), tiny=dict(width=24, depth=1, heads=2)),
  )  # fmt: skip
  c.view = c.inputs = dict(name='scaled', names=('clip',), mean=0.3, std=0.35)
  c.heads.decoder = common.mae_decoder(scale, width=48, depth=1, heads=4)
  c.passes.seen = dict(name='masked_encode', mask=dict(name='tube_mask', ratio=0.5))
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.losses.rebuild = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  c.optimizer.learning_rate.peak = 3e-3
  c.optimizer.b2 = 0.95
  c.evaluators = dict(linear=dict(name='logistic'), fewshot=dict(name='fewshot'))
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('random_init', 'without_tubes'),
    margin=0.01,
    variants=dict(without_tubes=('passes.seen.mask.name=random_mask', 'passes.seen.mask.ratio=0.5')),
  )
  return c
