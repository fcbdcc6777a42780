"""MoCo v3. Chen, Xie, He, ICCV 2021. arXiv:2104.02057, Algorithm 1.

The scale `imagenet` is the ViT-B/16 of the paper (section 5) with the settings of the official code (CONFIG.md, main_moco.py): a random
patch projection that is not trained, AdamW, 300 epochs.
Deviates: batch statistics of both views together; images are resized bilinearly.

The scales `cifar10` and `imagenet100` are those of solo-learn for a ResNet-18 (scripts/pretrain/cifar/mocov3.yaml,
scripts/pretrain/imagenet-100/mocov3.yaml; heads in methods/mocov3.py).
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.767, source='arXiv:2104.02057, Table 4, 300 epochs', hardware='512 TPU v3 cores', hours=6.3,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.931, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.8036, source='arXiv:2108.01775, README of solo-learn', hardware='2 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'InfoNCE among the keys of the batch, no queue, temperature 0.2, scaled by 2 tau, both directions added',
    'momentum encoder and projector, decay rising by a cosine from 0.99 to 1',
    'projector of two layers, 256 and 64, that ends in batch norm without scale and shift, as in the official ResNet (4,096 and 256)',
    'predictor of two layers on the query alone; batch statistics of both views together (official code: each apart)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey); linear probe before the projector',
    'vision transformer with a random, frozen patch projection; blur and solarisation with other rates for each view: at the scale imagenet',
    dict(part='fine-tuning with all labels; rows of positions, class token, batch norm', out='open', why='none is run'),
    dict(part='ImageNet; transfer to CIFAR, Flowers and Pets', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-S to ViT-H, 300 epochs at batch 4,096', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 64), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(256, 64))
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  # 4 tau: the paper's 2 tau for each of its two directions.
  c.losses.nce = dict(name='info_nce', of=('views.q', 'views.k'), pairs='all', temperature=0.2, weight=0.8)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='no_predictor',
    also=(dict(metric='linear_top1', beats=('no_predictor',), margin=0.002),),
    variants=dict(
      no_predictor=('passes.views.predictor=None',),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=4096, epochs=300)
  c.view = common.imagenet_views()
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.backbone = dict(name='vit_base', patch=16, positions='sincos', mask_token=False, std=0.0)
  c.freeze = ('backbone.embed',)
  c.heads.projector = dict(name='mlp', widths=(4096, 4096, 256), bias=False, final_bias=False, final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(4096, 256), bias=False, final_bias=False, final_norm=True)
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.nce = dict(name='info_nce', of=('views.q', 'views.k'), pairs='all', temperature=0.2, weight=0.8)
  rate = dict(name='cosine', peak=1.5e-4, warmup='40 epochs')
  c.optimizer = dict(name='adamw', learning_rate=rate, per=256, weight_decay=0.1, parts=common.ALL_DECAYED)
  c.evaluators.linear.update(learning_rates=(3.0,), batch_size=1024)
  return c


def cifar10():
  return solo_learn(common.cifar10(rate=0.3, weight_decay=1e-6))


def imagenet100():
  return solo_learn(common.imagenet100(rate=0.3, weight_decay=1e-6))


def solo_learn(c):
  c.heads.projector = dict(name='mlp', widths=(4096, 256), bias=False, final_bias=False, final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(4096, 256), bias=False, final_bias=False)
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.nce = dict(name='info_nce', of=('views.q', 'views.k'), pairs='all', temperature=0.2, weight=0.8)
  return c
