"""VideoMAE. Tong, Song, Wang, Wang, NeurIPS 2022. arXiv:2203.12602, section 3.

The scales `kinetics400` and `ssv2` are the ViT-B of the official scripts, for folders of videos, with their fine-tuning; constants not in the
scripts are the defaults of run_mae_pretraining.py and run_class_finetuning.py.
Deviates: positions on three axes (official: one sine-cosine
table of all tubelets in a row); crops of any size from 0.66 to 1 of the sides (official: one of four sizes); fine-tuning without RandAugment,
mixing, random erasing and repeated samples; one clip of a video is judged (official: 5 or 2, in 3 crops), for Something-Something of
consecutive frames (official fine-tuning: spread over the video).
"""

from jssl.configs import common

PUBLISHED = dict(
  kinetics400=dict(
    metric='finetune_top1', value=0.815, source='arXiv:2203.12602, MODEL_ZOO.md of the code, ViT-B, 1600 epochs',
    hardware='64 GPUs', hours=None,
  ),
  ssv2=dict(
    metric='finetune_top1', value=0.708, source='arXiv:2203.12602, MODEL_ZOO.md of the code, ViT-B, 2400 epochs',
    hardware='64 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.base(scale, data='moving_digits', batch_size=32, epochs=18)
  c.parts = (
    'tube masks: the same places in all frames, half of them (paper: 0.9), removed before the encoder',
    'tubelets of 2 frames and 4x4 pixels (paper: 2 and 16x16); attention over space and time together',
    'decoder on visible tokens and mask tokens, one block of the width of the encoder (paper: 4 of half the width)',
    'mean squared error on masked tubelets alone, each standardised',
    'all 8 frames of a clip (paper: 16, every second or fourth)',
    'linear and few-shot probes of the mean of the tokens; random masks of the same ratio as the rival',
    'crops, fine-tuning on actions: at the scales kinetics400 and ssv2',
    dict(part='mixup and CutMix of clips in fine-tuning', out='open', why='made for images'),
    dict(part='several samples of a clip in a batch', out='open', why='one'),
    dict(part='rows of masks, decoders, targets', out='open', why='not run'),
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
  rebuild(c, ratio=0.5)
  c.optimizer.learning_rate.peak = 3e-3
  c.optimizer.b2 = 0.95
  c.evaluators = dict(linear=dict(name='logistic'), fewshot=dict(name='fewshot'))
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('raw_input', 'random_init', 'without_tubes'),
    margin=0.01,
    variants=dict(without_tubes=('passes.seen.mask.name=random_mask', 'passes.seen.mask.ratio=0.5')),
  )
  return c


def rebuild(c, *, ratio):
  c.passes.seen = dict(name='masked_encode', mask=dict(name='tube_mask', ratio=ratio))
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.losses.rebuild = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'))


def kinetics400():
  return published('kinetics400', epochs=1600, stride=4, flip=0.5, tuned=75)


def ssv2():
  return published('ssv2', epochs=2400, stride=2, flip=0.0, tuned=30)


def published(source, *, epochs, stride, flip, tuned):
  c = common.videos(source=source, batch_size=2048, epochs=epochs, stride=stride, crop=dict(scale=(0.66**2, 1.0)))
  c.backbone = dict(name='tubelet_vit', on='data.clip', patch=(2, 16, 16), width=768, depth=12, heads=12, mask_token=False)
  c.heads.decoder = dict(name='mae_decoder', width=384, depth=4, heads=6)
  rebuild(c, ratio=176 / 196)  # int(0.9 * 196) hidden
  c.losses.rebuild.channels = 3
  rate = dict(name='cosine', peak=1.2e-3, start=8e-6, end=8e-5, warmup='40 epochs')  # 1.5e-4, 1e-6 and 1e-5 for 256
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.05, b1=0.9, b2=0.95)
  view = dict(name='whole_clip', crop={}, flip=flip, **common.IMAGENET)
  tune = common.imagenet_finetune(batch_size=384, epochs=tuned, layer_decay=0.75)
  c.evaluators = dict(finetune=tune | dict(view=view, mixup=0.0, cutmix=0.0, pool=None, norm=None))
  return c
