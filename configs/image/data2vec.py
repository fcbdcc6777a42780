"""data2vec. Baevski, Hsu, Xu, Babu, Gu, Auli, ICML 2022. arXiv:2202.03555, section 3.

The scale `imagenet` is the ViT-B of Table 1, with the constants of the README of the official code for images (data2vec_vision),
which warms up for 10 epochs; section 4.2 has 40, told from memory.
Deviates: learned positions (official: relative positions shared by all blocks); no dropout of attention (official: 0.05); fine-tuning as
MAE's but for its rates, without random erasing; images are resized bilinearly.
Not held so far: its features tell less than those of the untrained network.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(metric='finetune_top1', value=0.842, source='arXiv:2202.03555, Table 1, ViT-B, 800 epochs', hardware='16 GPUs', hours=None),
)


def get_config(scale='small'):
  full = scale == 'imagenet'
  c = published() if full else common.image_masked(scale)
  c.parts = (
    'target: mean of the last blocks of the teacher on the whole image, each normalised over features: 2 of 2 (official code: 6 of 12)',
    'student reads the masked image and predicts the targets of masked patches alone, by one linear layer',
    'smooth L1 distance with beta 2',
    'blockwise mask of 60 %, blocks of at least 16 patches, masked patches replaced by a learned token',
    'teacher: moving average, decay rising linearly from 0.996 to 0.999 (official code for images: 0.9998)',
    'light affine moves (paper: crops, flips and colour); linear probe of the mean of the tokens',
    'targets normalised after the mean too, layer scale, stochastic depth, fine-tuning with all labels: at the scale imagenet',
    dict(part='relative positions, dropout of attention', out='open', why='learned positions, none'),
    dict(part='speech and text by the same objective', out='open', why='not run'),
    dict(part='ImageNet; Librispeech, books and Wikipedia; GLUE', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B and ViT-L, 800 and 1,600 epochs', out='scale', why='2 blocks of 96, 8 epochs'),
  )
  if not full:
    c.optimizer.learning_rate.peak = 1e-3
  decay = 0.9998 if full else dict(name='linear', start=0.996, end=0.999)
  c.heads.predictor = dict(name='linear')
  c.teacher = dict(name='ema', decay=decay, networks=('backbone',))
  c.passes.seen = dict(name='masked_encode', hide='replace', mask=dict(name='beit_block_mask', ratio=120 / 196 if full else 0.6))
  c.passes.told = dict(name='apply', network='predictor', on='seen.tokens')
  c.passes.whole_image = dict(name='encode', on='seen.x', teacher=True, last_layers=6 if full else 2)
  c.losses.predict = dict(name='smooth_l1', of=dict(q='told.out', k='whole_image.averaged', mask='seen.mask'), beta=2.0)
  if full:
    c.losses.predict.normalize = True
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='pixels',
    also=(dict(metric='linear_top1', beats=('pixels',), margin=0.02),),
    variants=dict(
      pixels=("losses.predict.of={'q': 'told.out', 'k': 'seen.patches', 'mask': 'seen.mask'}", 'heads.predictor.dim=16'),
    ),
  )  # fmt: skip
  return c


def published():
  c = common.imagenet_masked(batch_size=2048, epochs=800)
  c.data.crop.scale = (0.08, 1.0)
  c.view.jitter = dict(brightness=0.4, contrast=0.4, saturation=0.4, p=1.0)
  c.backbone = dict(
    name='vit_base', patch=16, class_token=True, pool='mean', key_bias=False, layer_scale=1e-4, drop_path=0.25, std=0.02, rescale=True
  )
  rate = dict(name='cosine', peak=2e-3, start=1e-6, end=1e-5, warmup='10 epochs')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.05, clip=3.0)
  c.evaluators.finetune = common.imagenet_finetune(rate=1e-3, warmup='10 epochs', weight_decay=0.0, drop_path=0.2)
  return c
