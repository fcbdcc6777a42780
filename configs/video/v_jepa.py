"""V-JEPA. Bardes, Garrido, Ponce, Chen, Rabbat, LeCun, Assran, Ballas, TMLR 2024. arXiv:2404.08471, section 3.

The paper's finding is that features of video are better predicted in feature space than in pixels (section 4.1, Table 1): the rival predicts
the standardised pixels of the same tubelets by the same predictor in as many updates, without a teacher. Features that need not tell pixels
should keep less of their detail. In tries a linear map read more of a clip's first frame off them, not less; this is no part of the claim,
since raw input cannot be judged by it.
Undecided so far, and the untrained network does no worse.

The scale `videomix2m` is the ViT-L/16 of vitl16.yaml of the official code, for a folder of videos. Its frozen evaluation is
vitl16_k400_16x8x3.yaml, for which the folder must be that of Kinetics-400, with the model of the run.
Deviates: the norm of all gradients is clipped, from the start (official: those of encoder and predictor apart, after the warm-up); kernels of
the predictor are divided by depth (official: then drawn anew); one clip of a video is judged (official: 8 segments in 3 views).
"""

from jssl.configs import common

PUBLISHED = dict(
  videomix2m=dict(
    metric='attentive_top1', value=0.808, source='arXiv:2404.08471, README of the code, ViT-L/16, probe of Kinetics-400',
    hardware='128 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.base(scale, data='moving_digits', batch_size=16, epochs=10)
  c.parts = (
    'short-range masks, 8 blocks of 0.15, and long-range masks, 2 blocks of 0.7, aspect 0.75 to 1.5, through all frames; each clip has both',
    'context: what is visible, cut to its first quarter or eighth of the clip (official code: to the smallest of the batch)',
    'narrow predictor with positions and a mask token for each kind of mask: 2 blocks of 24 (paper: 12 of 384)',
    'L1 distance to tokens of the teacher on the whole clip, normalised over features, without gradient; the mean over both masks',
    'teacher: moving average, decay rising linearly from 0.99 to 1 (official code: from 0.998 to 0.9996)',
    'tubelets of 2 frames and 4x4 pixels (paper: 2 and 16x16), sine-cosine positions on three axes; attention over space and time together',
    "all 4 frames of a clip (paper: 16, every fourth); linear probe of the mean of the teacher's tokens",
    'rates and weight decay of a schedule 1.25 times the run, crops and flips, attentive probe: at the scale videomix2m',
    dict(part='fine-tuning; rows of masks, of data, of few labels', out='open', why='not run'),
    dict(part='VideoMix2M; Kinetics, Something-Something, AVA, ImageNet, Places, iNaturalist', out='data', why='none shipped; moving digits'),
    dict(part='ViT-L and ViT-H, 90,000 updates of 3,072 clips', out='scale', why='2 blocks of 48, 10 epochs'),
  )
  c.data.update(side=16, speed=1.0, train=2000)
  c.backbone = dict(
    name='tubelet_vit', on='data.clip', temperature=10.0,
    **common.at(scale)(small=dict(width=48, depth=2, heads=4), tiny=dict(width=24, depth=1, heads=2)),
  )  # fmt: skip
  c.view = c.inputs = dict(name='scaled', names=('clip',), mean=0.3, std=0.35)
  c.heads.predictor = dict(name='ijepa_predictor', kinds=2, width=24, heads=2, depth=common.at(scale)(small=2, tiny=1))
  c.teacher = dict(name='ema', decay=dict(name='linear', start=0.99, end=1.0), networks=('backbone',))
  predict(c, short=0.25, long=0.125)
  c.optimizer.learning_rate.peak = 1e-3
  c.evaluators = dict(linear=dict(name='logistic'))
  c.claim = dict(
    metric='linear_top1', beats=('pixels',), margin=0.01, without='pixels',
    variants=dict(
      # Nothing follows a teacher then: features are the trained network's own.
      pixels=('passes.short_told.whole=short.patches', 'passes.long_told.whole=short.patches', 'heads.predictor.dim=32', 'represent={}'),
    ),
  )  # fmt: skip
  return c


def predict(c, **keep):
  """One view of each clip under both kinds of masks, and the teacher's tokens of it that one predictor predicts."""
  c.represent = dict(from_teacher=True)
  c.passes.whole_clip = dict(name='encode', on='short.x', teacher=True)
  for kind, (name, blocks, scale) in enumerate((('short', 8, 0.15), ('long', 2, 0.7))):
    c.passes[name] = dict(name='masked_encode', mask=dict(name='tube_blocks', blocks=blocks, scale=scale, keep=keep[name]))
    of = {'context': f'{name}.tokens'} | {part: f'{name}.{part}' for part in ('keep', 'targets', 'weight')}
    c.passes[f'{name}_told'] = dict(name='jepa', whole='whole_clip.tokens', kind=kind, **of)
    told = {'q': 'prediction', 'k': 'target', 'mask': 'mask'}
    c.losses[name] = dict(name='latent_l1', of={q: f'{name}_told.{x}' for q, x in told.items()}, weight=0.5)
  c.passes.long.on = 'short.x'


def videomix2m():
  crop = dict(scale=(0.3, 1.0), ratio=(0.75, 1.35))
  c = common.videos(source='videomix2m', batch_size=3072, epochs=None, steps=90_000, stride=4, crop=crop, flip=0.5)
  c.backbone = dict(name='tubelet_vit', on='data.clip', patch=(2, 16, 16), width=1024, depth=24, heads=16, mask_token=False, std=0.02)
  c.heads.predictor = dict(name='ijepa_predictor', kinds=2, width=384, depth=12, heads=16)  # heads as in the encoder, app/vjepa/utils.py
  c.teacher = dict(name='ema', decay=dict(name='linear', start=0.998, end=0.9996), networks=('backbone',))  # to 1 in 1.25 times the run
  predict(c, short=0.22, long=0.06)
  rate = dict(name='stretched_cosine', peak=6.25e-4, start=2e-4, end=1e-6, warmup='12000 steps')  # 40 epochs of 300
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=dict(name='stretched_cosine', peak=0.04, end=0.4), clip=10.0)
  c.evaluators = dict(attentive=dict(name='attentive', learning_rates=(1e-3,), weight_decays=(0.01,), epochs=20, batch_size=256))
  return c
