"""Supervised classification as in DeiT. Touvron, Cord, Douze, Massa, Sablayrolles, Jegou, ICML 2021. arXiv:2012.12877, section 5 and Table 9.

Cross entropy with mixed images and smoothed labels; `small` is a baseline beside methods without labels: their network, data and moves of the
image. The published scales are trained on ImageNet-1k:

- `imagenet`: DeiT-B without distillation.
- `imagenet_resnet50`: procedure A2 of "ResNet strikes back" (Wightman, Touvron, Jegou 2021, arXiv:2110.00476), binary cross entropy and LAMB.
- `imagenet_vit_small`: the ViT-S/16 of "Better plain ViT baselines" (Beyer, Zhai, Kolesnikov 2022, arXiv:2205.01580), 90 epochs, with the
  constants of vit_s16_i1k.py in big_vision.

Deviates: warm-up from 0 (DeiT: 1e-6); bilinear look-ups in crops and RandAugment (bicubic, or either by chance); RandAugment of timm in
`imagenet_vit_small` (big_vision: operations of AutoAugment), which trains on all images (big_vision: 99 %); A2 is tested on the central 224 of
256 pixels (paper: of 236). The figure of A2 is given from memory; its constants are those of mmpretrain (resnet50_8xb256-rsb-a2-300e_in1k.py).
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='classify_top1', value=0.818, source='arXiv:2012.12877, section 4, DeiT-B without distillation; section 5.6',
    hardware='8 V100 GPUs', hours=53,
  ),
  imagenet_resnet50=dict(
    metric='classify_top1', value=0.798, source='arXiv:2110.00476, procedure A2', hardware='4 V100 GPUs', hours=None,
  ),
  imagenet_vit_small=dict(
    metric='classify_top1', value=0.765, source='arXiv:2205.01580; vit_s16_i1k.py in big_vision',
    hardware='8 TPU v3 cores', hours=6.5,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale)
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
  classifier(c, smoothing=0.1)
  c.evaluators = dict(classify=dict(name='classify'), linear=dict(name='logistic'))
  c.claim = dict(
    metric='classify_top1', beats=('plain',), margin=0.005, without='plain',
    also=(dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02),),
    variants=dict(plain=('passes.mixed.p=0.0', 'passes.mixed.smoothing=0.0')),
  )  # fmt: skip
  return c


def classifier(c, *, on='seen.pooled', loss=None, **mixed):
  c.heads.classifier = dict(name='linear', dim='data.label.size')
  c.passes.views = dict(name='draw')
  c.passes.mixed = dict(name='mixed', on='whole.views.x[0]', classes='data.label.size', **(dict(mixup=0.8, cutmix=1.0) | mixed))
  c.passes.seen = dict(name='encode', on='mixed.x')
  c.passes.logits = dict(name='apply', network='classifier', on=on)
  c.losses.labels = (loss or dict(name='cross_entropy')) | dict(of=dict(logits='logits.out', labels='mixed.y'))


def published(*, batch_size, epochs, view):
  c = common.imagenet(batch_size=batch_size, epochs=epochs)
  c.kind = 'supervised'
  c.data.crop.views = 1
  c.view = dict(name='augment', views=1, flip=0.5, **(common.IMAGENET | view))
  c.inputs.update({name: c.view[name] for name in ('mean', 'std')})
  c.evaluators = dict(classify=dict(name='classify'), linear=dict(name='logistic'))
  return c


def imagenet():
  c = published(batch_size=1024, epochs=300, view=dict(randaugment={}, erase={}))
  c.backbone = dict(name='vit_base', drop_path=0.1, mask_token=False)
  rate = dict(name='cosine', peak=5e-4 * c.batch_size / 512, end=1e-5, warmup='5 epochs')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.05)
  classifier(c, smoothing=0.1)
  return c


def imagenet_resnet50():
  c = published(batch_size=2048, epochs=300, view=dict(randaugment=dict(magnitude=7.0)))
  c.backbone = dict(name='resnet50', drop_path=0.05)
  rate = dict(name='cosine', peak=5e-3, end=1e-6, warmup='5 epochs', start=5e-7)
  # timm's LAMB clips gradients to the norm 1 and does not adapt what is not decayed.
  c.optimizer = dict(name='lamb', learning_rate=rate, weight_decay=0.02, clip=1.0, always_adapt=False)
  classifier(c, loss=dict(name='binary_cross_entropy', threshold=0.2), mixup=0.1, smoothing=0.0)
  return c


def imagenet_vit_small():
  c = published(batch_size=1024, epochs=90, view=dict(randaugment=dict(magnitude=10.0, std=0.0, p=1.0), mean=0.5, std=0.5))
  c.data.crop.scale = (0.05, 1.0)
  c.backbone = dict(name='vit_small', patch=16, class_token=False, pool='mean', positions='sincos', mask_token=False)
  rate = dict(name='cosine', peak=1e-3, warmup=10_000)
  # A decay of 1e-4 a step at the peak: big_vision multiplies it by the schedule alone, and not by its peak.
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=1e-4 / 1e-3, mu_dtype='bfloat16', clip=1.0)
  c.heads.representation = dict(name='mlp', widths=(384,), norm='none', final_act='tanh')
  classifier(c, on='represented.out', mixup=0.2, cutmix=0.0, smoothing=0.0)
  c.passes.represented = dict(name='apply', network='representation', on='seen.pooled')
  return c
