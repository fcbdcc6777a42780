"""SupCon. Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan, NeurIPS 2020. arXiv:2004.11362, Eq. 2.

The scale `imagenet` is the ResNet-50 of the official code in TensorFlow (supcon/scripts/supcon_imagenet_resnet50.sh and configs.sh), `cifar10`
that of the code in PyTorch (SupContrast, README and main_supcon.py), which gave the paper's figure (README of the former). There is no scale
`imagenet100`: solo-learn has the mean inside the logarithm (losses/simclr.py).
Losses are multiplied by the temperature, or by its ratio to 0.07, as in these codes.
Deviates at imagenet: RandAugment (paper and code: AutoAugment); features enter the projector, one linear map there, at their length (code: at
unit length); biases are not decayed (code: they are). At both, statistics of batch norm are those of the batch.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.787, source='arXiv:2004.11362, Table 2; official code, 350 epochs', hardware='128 TPU v3 cores', hours=None,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.96, source='arXiv:2004.11362, Table 2; README of SupContrast', hardware='1 GPU', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'mean log-likelihood of all views of the class outside the logarithm (L_out), temperature 0.1, anchors in both views',
    'embeddings of unit length; all other views of the batch in the denominator',
    'projector of two layers, 256 and 64, with batch norm (official code: none), left out after training',
    'second stage: linear classifier on the frozen encoder, here logistic regression by L-BFGS',
    'two views by affine moves, brightness and contrast (paper: AutoAugment, RandAugment and others); AdamW',
    'cross-entropy of both views as the rival',
    dict(part='the mean inside the logarithm (L_in)', out='open', why='not run'),
    dict(part='robustness to corruptions; stability over hyperparameters; fine-tuning on other tasks', out='open', why='a linear probe alone'),
    dict(part='CIFAR-10, CIFAR-100, ImageNet and ImageNet-C', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50 to ResNet-200, 350 to 700 epochs at batch 6,144', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.kind = 'supervised'
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='sup_con', of=dict(q='views.q', k='views.k', labels='batch.label'), pairs='all', temperature=0.1)
  logits = dict(name='cross_entropy', of=dict(logits='views.q', labels='batch.label'), over='views')
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='cross_entropy',
    also=(dict(metric='linear_top1', beats=('cross_entropy',), margin=0.002),),
    variants=dict(
      cross_entropy=(f'losses.nce={logits}', "heads.projector={'name': 'linear', 'dim': 'data.label.size'}"),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=6144, epochs=350)
  c.view = dict(name='augment', views=2, flip=0.5, randaugment={}, mean=0.5, std=0.5)
  c.inputs = dict(name='plain', size=224, mean=0.5, std=0.5)
  rate = dict(name='cosine', peak=0.4, warmup='12 epochs')
  c.optimizer = dict(name='lars', learning_rate=rate, per=256, weight_decay=1e-3, momentum=0.9)
  return contrasted(c, widths=(128,), weight=0.1)


def cifar10():
  c = common.cifar10(batch_size=1024, name='sgd', rate=0.5, weight_decay=1e-4)
  pixels = dict(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010))
  c.view, c.inputs = common.cifar10_views(crop=dict(scale=(0.2, 1.0)), jitter=common.WEAK, **pixels), dict(name='plain', **pixels)
  c.backbone.name = 'resnet50'
  rate = dict(name='cosine', peak=0.5, end=0.5 * 0.1**3, warmup='10 epochs', start=0.01)
  c.optimizer = dict(name='sgd', learning_rate=rate, momentum=0.9, weight_decay=1e-4, parts=common.ALL_DECAYED)
  c.evaluators.linear.update(learning_rates=(2.5,), batch_size=512)
  return contrasted(c, widths=(2048, 128), weight=0.1 / 0.07)


def contrasted(c, *, widths: tuple[int, ...], weight: float):
  c.kind = 'supervised'
  c.heads.projector = dict(name='mlp', widths=widths, norm='none')
  c.passes.views = dict(name='embed', heads=('projector',))
  of = dict(q='views.q', k='views.k', labels='batch.label')
  c.losses.nce = dict(name='sup_con', of=of, pairs='all', temperature=0.1, weight=weight)
  return c
