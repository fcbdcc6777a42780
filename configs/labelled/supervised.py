"""Supervised classification as in DeiT. Touvron, Cord, Douze, Massa, Sablayrolles, Jegou, ICML 2021. arXiv:2012.12877, section 5 and Table 9.

Cross entropy with mixed images and smoothed labels. The scale `imagenet` is DeiT-B without distillation; `small` is a baseline beside
methods without labels: their network, data and moves of the image.
Deviates: warm-up from 0 (official code: 1e-6); bilinear look-ups in crops and RandAugment (official code: bicubic).
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='classify_top1', value=0.818, source='arXiv:2012.12877, section 4, DeiT-B without distillation; section 5.6',
    hardware='8 V100 GPUs', hours=53,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.imagenet(batch_size=1024, epochs=300) if scale == 'imagenet' else common.image(scale)
  c.kind = 'supervised'
  c.parts = (
    'mixup 0.8 and CutMix 1.0, one of them for each batch',
    'label smoothing 0.1',
    'RandAugment 9/0.5 and random erasing 0.25, at the scale imagenet',
    'stochastic depth 0.1, at the scale imagenet',
    dict(part='repeated augmentation, three views of an image in a batch', out='open', why='the source draws every example once an epoch'),
    dict(part='distillation token and teacher', out='open', why='another system; 81.8 is the figure without'),
    dict(part='DeiT-B on ImageNet', out='scale', why='a convnet on MNIST at the scale small'),
  )
  c.view.views = 1
  if scale == 'imagenet':
    pixels = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    c.data.crop.views = 1
    c.backbone = dict(name='vit_base', drop_path=0.1, mask_token=False)
    c.view = dict(name='augment', views=1, flip=0.5, randaugment={}, erase={}, **pixels)
    c.inputs.update(pixels)
    rate = dict(name='cosine', peak=5e-4 * c.batch_size / 512, end=1e-5, warmup='5 epochs')
    c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.05)
  c.heads.classifier = dict(name='linear', dim='data.label.size')
  c.passes.views = dict(name='draw')
  c.passes.mixed = dict(name='mixed', on='whole.views.x[0]', classes='data.label.size', mixup=0.8, cutmix=1.0, smoothing=0.1)
  c.passes.seen = dict(name='encode', on='mixed.x')
  c.passes.logits = dict(name='apply', network='classifier', on='seen.pooled')
  c.losses.labels = dict(name='cross_entropy', of=dict(logits='logits.out', labels='mixed.y'))
  c.evaluators = dict(classify=dict(name='classify'), linear=dict(name='logistic'))
  c.claim = dict(
    metric='classify_top1', beats=('plain',), margin=0.005, without='plain',
    also=(dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02),),
    variants=dict(plain=('passes.mixed.p=0.0', 'passes.mixed.smoothing=0.0')),
  )  # fmt: skip
  return c
