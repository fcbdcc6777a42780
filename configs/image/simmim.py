"""SimMIM. Xie, Zhang, Cao, Lin, Bao, Yao, Dai, Hu, CVPR 2022. arXiv:2111.09886, section 3.

Deviates: mask unit of one patch, 4 pixels (paper 32 pixels): of 28 pixels that is the same share as 32 of 224.
The scale `imagenet` is the ViT-B of the official README, with the constants of vit_base__800ep (config.py: batches of 128 on 16 GPUs, rates
times batch / 512) and its fine-tuning.
Deviates: learned positions (official: relative positions shared by all blocks); fine-tuning as MAE's but for its rates, without random erasing;
images are resized bilinearly.
Not held so far: it learns to fill patches in, and its last tokens tell less than those of the untrained network.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='finetune_top1', value=0.838, source='arXiv:2111.09886, README of the code, ViT-B, 800 epochs', hardware='16 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  full = scale == 'imagenet'
  c = published() if full else common.image_masked(scale, width=128)
  c.parts = (
    '60 % of the patches masked at random; unit of one patch, 4 of 28 pixels (paper: 32 of 192 or 224, as at the scale imagenet)',
    'masked patches replaced by a learned token before the encoder, which reads all patches',
    'prediction head of one linear layer',
    'mean absolute error of raw pixels on masked patches alone',
    'light affine moves (paper: crops and flips)',
    'linear probe and nearest neighbours of the mean of the tokens',
    'mask units of several patches and fine-tuning with all labels, at the scale imagenet',
    dict(part='Swin transformer', out='open', why='a vision transformer'),
    dict(part='rows of mask units, ratios, heads, targets', out='open', why='a loss of all patches alone'),
    dict(part='ImageNet-1K and 22K; transfer to iNaturalist, COCO and ADE20K', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B, Swin-B to SwinV2-G, 800 epochs', out='scale', why='2 blocks of 128, 8 epochs'),
  )
  c.heads.decoder = dict(name='pixel_head')
  c.passes.seen = dict(name='masked_encode', hide='replace', mask=dict(name='random_mask', ratio=0.6))
  if full:
    c.passes.seen.mask = dict(name='unit_mask', ratio=0.6, unit=2)
  c.passes.rebuilt = dict(name='apply', network='decoder', on='seen.tokens')
  c.losses.rebuild = dict(name='masked_l1', of=('rebuilt.out', 'seen.patches', 'seen.mask'))
  every = dict(name='smooth_l1', of=('rebuilt.out', 'seen.patches'), beta=1e-3)  # the absolute error of all patches, but near 0
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='all_patches',
    also=(dict(metric='linear_top1', beats=('all_patches',), margin=0.005),),
    variants=dict(
      all_patches=(f'losses.rebuild={every}',),
    ),
  )  # fmt: skip
  return c


def published():
  c = common.imagenet_masked(batch_size=2048, epochs=800)
  c.data.crop.scale = (0.67, 1.0)  # SimMIMTransform
  c.backbone = dict(
    name='vit_base', patch=16, class_token=True, pool='mean', key_bias=False, layer_scale=0.1, drop_path=0.1, std=0.02, rescale=True
  )
  rate = dict(name='steps', peak=4e-4, start=2e-6, warmup='10 epochs', milestones=('700 epochs',), gamma=0.1)
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.05, b1=0.9, b2=0.999, clip=5.0)
  c.evaluators.finetune = common.imagenet_finetune(batch_size=2048, rate=6.25e-4, warmup='20 epochs')
  return c
