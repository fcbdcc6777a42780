"""ReSSL. Zheng, You, Wang, Qian, Zhang, Wang, Xu, NeurIPS 2021. arXiv:2107.09282, section 3.

The paper's finding is that relations to other images, sharpened and taken from a view that is changed little, teach more than telling
images apart.

The scale `imagenet` is the run of 200 epochs with one crop, with the settings of the official code (ressl.py, network/ressl.py,
data/augmentation.py): a queue of 131,072, teacher decay 0.999, SGD of rate 0.05 at batch 256 with 5 epochs of warm-up.
Deviates: batch statistics of the whole batch, not shuffled between devices; images are resized bilinearly.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.699, source='arXiv:2107.09282, README of the code, 200 epochs, 1 crop', hardware='8 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=64, epochs=8, widths=(16, 32, 64, 64))
  c.parts = (
    'cross-entropy of the relations of teacher and student to a queue, which does not hold the image itself',
    'temperatures: 0.1 of the student, 0.04 of the teacher, whose relations are sharper',
    'weak view for the teacher: small moves (paper: crop, flip); strong one for the student: moves, brightness, contrast (paper: and colour)',
    'queue of 1,024 earlier embeddings of the teacher (paper: 131,072)',
    'momentum encoder and projector, decay 0.99 (paper: 0.999), without gradient',
    'projector of two layers without batch norm, 256 and 64 (paper: 4,096 and 512); AdamW (paper: SGD)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='batch norm shuffled over devices', out='open', why='statistics of the whole batch, for queries and keys alike'),
    dict(part='multi-crop of five sizes; rows of temperatures and projectors', out='open', why='one crop, one setting'),
    dict(part='CIFAR, STL-10, Tiny ImageNet, ImageNet; transfer and detection', out='data', why='no package ships them; 2,000 digits'),
    dict(part='ResNet-50, 200 epochs', out='scale', why='a convnet, 8 epochs'),
  )
  c.data.train = 2000
  c.optimizer.learning_rate.peak = 4e-3
  c.evaluators = dict(linear=dict(name='logistic'), relations=dict(name='equivariance', view=c.view.to_dict(), draws=2))
  c.view.views = ({}, dict(affine=dict(degrees=5, translate=0.05), jitter=None))
  c.heads.projector = dict(name='mlp', widths=(256, 64), norm='none')
  build(c, decay=0.99, size=common.at(scale)(small=1024, tiny=64))
  c.claim = dict(
    metric='linear_top1', beats=('instance',), margin=0.005, without='instance',
    also=(dict(metric='linear_top1', beats=('strong',), margin=0.0),),
    manipulation=dict(metric='relations_gram', beats=('instance',), margin=0.0, lower=True),
    variants=dict(instance=('losses.relation.name=info_nce_queue', 'losses.relation.temperature=0.1'), strong=('view.views=2',)),
  )  # fmt: skip
  return c


def build(c, *, decay: float, size: int) -> None:
  c.teacher = dict(name='ema', decay=decay, networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.queue = dict(name='queue', of='views.k[1]', size=size)
  of = dict(q='views.q', k='views.k', negatives='memory.queue')
  c.losses.relation = dict(name='ressl', of=of, pairs=((0, 1),))


def imagenet():
  c = common.imagenet(batch_size=256, epochs=200)
  c.data.crop.scale = (0.2, 1.0)
  jitter = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8)
  strong = dict(jitter=jitter, grey=0.2, blur=dict(sigma=(0.1, 2.0), p=0.5))
  c.view = dict(name='augment', views=(strong, {}), flip=0.5, **common.IMAGENET)
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.heads.projector = dict(name='mlp', widths=(4096, 512), norm='none')
  build(c, decay=0.999, size=131_072)
  c.optimizer = dict(name='sgd', learning_rate=dict(name='cosine', peak=0.05, warmup='5 epochs'), momentum=0.9, weight_decay=1e-4)
  return c
