"""MAE. He, Chen, Xie, Li, Dollar, Girshick, CVPR 2022. arXiv:2111.06377, section 3.

Its encoder sees a quarter of the patches, so that it may be wide.

The scale `imagenet` is the ViT-B of Table 3, on normalised pixels, and its fine-tuning (appendix A.1, Table 9) with the rate and the
layer decay of the official code (FINETUNE.md) for this network; `imagenet_vit_large` and `imagenet_vit_huge` are the other networks of the
table. The hours are those of fine-tuning.
Deviates: the decoder does not read the class token (official: it does), which stays in the encoder.
Left out: random erasing of the official code, which is not in the paper and has no effect beyond chance there.
Deviates: fine-tuning crops the centre of an image, scaled to 256 pixels (paper: the whole image); images are resized bilinearly.
"""

from jssl.configs import common

SCALES = ('fashion_mnist',)
PUBLISHED = dict(
  imagenet=dict(
    metric='finetune_top1', value=0.836, source='arXiv:2111.06377, Table 3, 1600 epochs', hardware='32 V100, fine-tuning', hours=7.2,
  ),
  imagenet_vit_large=dict(
    metric='finetune_top1', value=0.859, source='arXiv:2111.06377, Table 3, 1600 epochs', hardware='32 V100, fine-tuning', hours=8.9,
  ),
  imagenet_vit_huge=dict(
    metric='finetune_top1', value=0.869, source='arXiv:2111.06377, Table 3, 1600 epochs', hardware='64 V100, fine-tuning', hours=13.2,
  ),
)  # fmt: skip


def get_config(scale='small'):
  full = scale in PUBLISHED
  c = common.imagenet_masked() if full else common.image_masked(scale, epochs=24, width=192)
  c.parts = (
    'three quarters of the patches masked at random, and removed before the encoder',
    'decoder on visible tokens and a learned mask token, with positions: 2 blocks of 64 (paper: 8 of 512)',
    'mean squared error on masked patches alone, each patch standardised',
    'sine-cosine positions; AdamW with beta 0.9 and 0.95',
    'light affine moves (paper: crops and flips alone)',
    'linear probe and nearest neighbours of the mean of the patch tokens (paper: class token or mean)',
    dict(part='class token in the decoder', out='open', why='the decoder reads patches alone'),
    'fine-tuning with all labels, at the scale imagenet',
    dict(part='rows of other mask ratios, kinds of mask, decoders, targets', out='open', why='a ratio of 0.25 alone'),
    dict(part='ImageNet; transfer to COCO, ADE20K, iNaturalist and Places', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B to ViT-H, 800 and 1,600 epochs', out='scale', why='2 blocks of 192, 24 epochs'),
  )
  c.heads.decoder = dict(name='mae_decoder') if full else common.mae_decoder(scale, width=64, depth=2, heads=4)
  c.passes.seen = dict(name='masked_encode', mask=dict(name='random_mask', ratio=0.75))
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.losses.rebuild = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  if full:
    c.evaluators = dict(linear=linear(), finetune=common.imagenet_finetune())
  if scale == 'imagenet_vit_large':
    c.backbone.name = 'vit_large'
    c.evaluators.finetune = common.imagenet_finetune(epochs=50, rate=1e-3, layer_decay=0.75, drop_path=0.2)
  if scale == 'imagenet_vit_huge':
    c.backbone.update(name='vit_huge', patch=14)
    c.evaluators.finetune = common.imagenet_finetune(epochs=50, rate=1e-3, layer_decay=0.75, drop_path=0.3)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='quarter',
    also=(dict(metric='linear_top1', beats=('quarter',), margin=0.01),),
    variants=dict(
      quarter=('passes.seen.mask.ratio=0.25',),
    ),
  )  # fmt: skip
  return c


def linear() -> dict:
  """Linear probing: Table 10, and main_linprobe.py; of the mean over patches, as in fine-tuning (official: of the class token)."""
  return dict(
    name='linear', optimizer='lars', learning_rates=(0.1,), epochs=90, batch_size=16384, warmup='10 epochs', norm='batch',
    view=dict(name='augment', views=1, size=224, crop={}, flip=0.5),
  )  # fmt: skip
