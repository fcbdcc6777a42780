"""SimCLR. Chen, Kornblith, Norouzi, Hinton, ICML 2020. arXiv:2002.05709, Eq. 1 and Algorithm 1.

The scale `imagenet` is the paper's default setting (section 2.3, augmentations in appendix A), with the temperature of the official code
(README, 0.1; its weight decay of 1e-4 is the paper's 1e-6 here) and its projection head (model_util.py), which ends in batch normalisation;
here without a learned scale.
Its evaluators fine-tune on 1 % and 10 % of the labels (appendix B.5); rates decay by a cosine and heads begin as in the official code.
Left out: inference on the central 224 of 256 pixels (appendix B.5): the whole image is scaled to 224.
Deviates: brightness is scaled (paper: shifted), as in torchvision.

The scales `cifar10` and `imagenet100` are those of solo-learn (scripts/pretrain/cifar/simclr.yaml, scripts/pretrain/imagenet-100/simclr.yaml).
"""

from jssl.configs import common

SCALES = ('fashion_mnist',)
PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.645, source='arXiv:2002.05709, appendix A, 100 epochs', hardware='128 TPU v3 cores', hours=1.5,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.9074, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.7764, source='arXiv:2108.01775, README of solo-learn, online', hardware='2 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  at = common.at(scale)
  c = common.imagenet(batch_size=4096, epochs=100) if scale == 'imagenet' else common.image(scale)
  c.parts = (
    'NT-Xent: the other 2(b - 1) embeddings of the batch as negatives; temperature 0.2, at the scale imagenet 0.1',
    'nonlinear projector of two layers, 256 and 64, with batch norm; 2,048 and 128 at the scale imagenet',
    'crops, flips, colour, grey and blur at the scale imagenet; affine moves, brightness and contrast of digits at small',
    'batch norm over the whole batch and both views; LARS, batch 4,096 and 10 epochs of warm-up at the scale imagenet, AdamW at small',
    'linear probe of the features before the projector, by L-BFGS at small and by SGD at published scales; nearest neighbours',
    'fine-tuning on 1 % and 10 % of the labels, at the scale imagenet',
    dict(part='rows of each augmentation, of linear projectors, of batch sizes and epochs', out='open', why='no projector alone'),
    dict(part='test on the central 224 of 256 pixels', out='open', why='the whole image is scaled to 224'),
    dict(part='transfer to 12 other data sets', out='data', why='no package ships them'),
    dict(part='ResNet-50 of widths 1, 2 and 4 on ImageNet', out='scale', why='a convnet on 4,000 digits at small, width 1 at imagenet'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  if scale == 'imagenet':
    c.heads.projector = dict(name='mlp', widths=(2048, 128), bias=False, final_bias=False, final_norm=True)
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=at(small=0.2, imagenet=0.1))
  if scale == 'imagenet':
    shares = dict(finetune1=finetune(0.01, epochs=60), finetune10=finetune(0.1, epochs=30))
    c.evaluators.update(shares)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.03, without='no_projector',
    also=(dict(metric='linear_top1', beats=('no_projector',), margin=0.005),),
    variants=dict(
      no_projector=('passes.views.heads=()',),
    ),
  )  # fmt: skip
  return c


def finetune(fraction: float, *, epochs: int, batch_size: int = 4096) -> dict:
  """Fine-tuning on a share of the labels, without regularisation: appendix B.5."""
  return dict(
    name='finetune', fraction=fraction, seeds=(0,), epochs=epochs, batch_size=batch_size, learning_rates=(0.05 * batch_size / 256,),
    warmup=0, optimizer=dict(name='sgd', momentum=0.9, nesterov=True, weight_decay=0.0), norm=None, std=0.01,
    view=dict(name='augment', views=1, size=224, crop={}, flip=0.5),
  )  # fmt: skip


def cifar10():
  c = common.cifar10(rate=0.4, weight_decay=1e-4)
  c.view = common.cifar10_views(jitter=common.STRONG, blur=dict(p=0.5, radius=6))
  return solo_learn(c, widths=(2048, 256))


def imagenet100():
  c = common.imagenet100(rate=0.3, weight_decay=1e-4)
  c.view = common.alike_views(jitter=common.STRONG)
  return solo_learn(c, widths=(4096, 512))


def solo_learn(c, widths: tuple[int, ...]):
  c.heads.projector = dict(name='mlp', widths=widths, norm='none')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.2)
  return c
