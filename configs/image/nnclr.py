"""NNCLR. Dwibedi, Aytar, Tompson, Sermanet, Zisserman, ICCV 2021. arXiv:2104.14548, section 3.2 and Algorithm 1.

The scale `imagenet` is the ResNet-50 of the paper's section 4.1 with two views; rate, weight decay, warm-up and figure are from memory, as no
code is published. The scales `cifar10` and `imagenet100` are those of solo-learn (scripts/pretrain/cifar/nnclr.yaml,
scripts/pretrain/imagenet-100/nnclr.yaml).
Deviates: batch statistics of both views together; images are resized bilinearly.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.754, source='arXiv:2104.14548, Table 1, 1000 epochs', hardware=None, hours=None,
  ),
  cifar10=dict(
    metric='linear_top1', value=0.9188, source='arXiv:2108.01775, README of solo-learn', hardware='1 GPU', hours=None,
  ),
  imagenet100=dict(
    metric='linear_top1', value=0.8016, source='arXiv:2108.01775, README of solo-learn', hardware='2 RTX 2080 Ti', hours=14.0,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'nearest neighbour of a projection in the support set in its place, by cosine, without gradient',
    'InfoNCE of the neighbour and the prediction of the other view, the other predictions as negatives, both directions, temperature 0.1',
    "support set: queue of one view's projections, 1,024 (paper: 98,304), a quarter of an epoch (paper: 8 %)",
    'earlier projections of the same image may be its neighbour, as in solo-learn; 3 % of the images meet one (paper: 0.3 %)',
    'projector of two layers, 256 and 128, with batch norm after each (paper: three, 2,048, 2,048 and 256)',
    'predictor of two layers, 256 and 128 (paper: 4,096 and 256), batch norm in the hidden one',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey); linear probe before the projector',
    'blur and solarisation with other rates for each view, LARS: at the scale imagenet',
    dict(part='fine-tuning on 1 % and 10 % of the labels; rows of fewer augmentations and of support sets', out='open', why='not run'),
    dict(part='ImageNet; transfer to 12 other data sets', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 1,000 epochs at batch 4,096', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 128), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(256, 128))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.memories.support = dict(name='queue', of='views.k[1]', size=common.at(scale)(small=1024, tiny=64))
  c.losses.nce = dict(name='nnclr', of=dict(q='views.q', k='views.k', support='memory.support'), pairs='all', temperature=0.1)
  own = dict(name='info_nce', of=('views.k', 'views.q'), pairs='all', temperature=0.1)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='own_key',
    also=(dict(metric='linear_top1', beats=('own_key',), margin=0.002),),
    variants=dict(
      own_key=(f'losses.nce={own}',),
    ),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=4096, epochs=1000)
  c.view, c.inputs = common.imagenet_views(), dict(name='plain', size=224, **common.IMAGENET)
  rate = dict(name='cosine', peak=0.3, warmup='10 epochs')
  c.optimizer = dict(name='lars', form='byol', learning_rate=rate, per=256, weight_decay=1e-6, momentum=0.9)
  return neighbours(c, support=98304, temperature=0.1)


def cifar10():
  return neighbours(common.cifar10(rate=0.4, weight_decay=1e-5), support=65536, temperature=0.2)


def imagenet100():
  return neighbours(common.imagenet100(rate=0.4, weight_decay=1e-5), support=65536, temperature=0.2)


def neighbours(c, *, support: int, temperature: float):
  c.heads.projector = dict(name='mlp', widths=(2048, 2048, 256), final_norm='batch')
  c.heads.predictor = dict(name='mlp', on='projector', widths=(4096, 256))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.memories.support = dict(name='queue', of='views.k[0]', size=support)
  of = dict(q='views.q', k='views.k', support='memory.support')
  c.losses.nce = dict(name='nnclr', of=of, pairs='all', temperature=temperature)
  return c
