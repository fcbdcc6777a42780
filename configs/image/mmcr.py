"""MMCR. Yerxa, Kuang, Simoncelli, Chung, NeurIPS 2023. arXiv:2303.03307, section 2.

The paper's finding is that the nuclear norm of centroids alone makes the views of an image agree and images differ, as well as contrast does.

The scale `imagenet` is the run of 100 epochs with 4 views and a momentum encoder, with the settings of the official code (pretrain_imagenet.py,
mmcr/imagenet): views, LARS and projector as in Barlow Twins, lambda 0. The text of the paper was not at hand: the published value is the
one that CLAMP (arXiv:2506.13717, README of its code) quotes for it, and what is said of its experiments on small images is from memory.
Deviates: batch statistics of all views together, as there, and of the momentum encoder by itself; images are resized bilinearly.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.715, source='arXiv:2303.03307, 4 views and momentum encoder', hardware='16 A100 GPUs', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=64, epochs=4, widths=(16, 32, 64, 64))
  c.parts = (
    'the nuclear norm of the matrix of centroids, to be maximised; embeddings on the sphere, 4 views (paper: up to 40 on small images)',
    'the nuclear norm of the views of an image, lambda: an option of the objective, 0 as in the experiments of the official code',
    'momentum encoder whose embeddings enter the centroids, at the scale imagenet alone, as in the paper',
    'projector of two layers with batch norm, 128 and 64 (paper: 8,192, 8,192 and 512 on ImageNet); AdamW (paper: Adam, LARS on ImageNet)',
    'views by affine moves, brightness and contrast (paper: crops, flips, colour, grey, blur and solarisation)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='manifold capacity, radius and dimension over training; gradients of classes', out='open', why='ranks of embeddings alone'),
    dict(part='fine-tuning on 1 % and 10 % of the labels; neural predictivity (Brain-Score)', out='open', why='not run'),
    dict(part='CIFAR, STL-10, ImageNet; transfer; recordings of the ventral stream', out='data', why='no package ships them; 2,000 digits'),
    dict(part='ResNet-50, 100 epochs at batch 2,048, or 500 on small images', out='scale', why='a convnet, 4 epochs at batch 64'),
  )
  c.data.train = 2000
  c.view.views = 4
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.capacity = dict(name='mmcr', of=dict(z='views.q'))
  c.watch = ('views.q[0]', 'views.q[1]')
  c.evaluators = dict(linear=dict(name='logistic'), isotropy=dict(name='isotropy'))
  c.claim = dict(
    metric='linear_top1', beats=('contrastive',), margin=-0.01, without='contrastive',
    also=(dict(metric='linear_top1', beats=('random_init',), margin=0.02),),
    manipulation=dict(metric='isotropy_rank', beats=('contrastive',), margin=1.0),
    variants=dict(contrastive=('losses.capacity.name=poly_view_geometric', 'losses.capacity.temperature=0.2')),
  )  # fmt: skip
  return c


def imagenet():
  c = common.imagenet(batch_size=2048, epochs=100)
  c.data.crop.views = 4
  c.view = common.imagenet_views()
  c.view['views'] *= 2
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.heads.projector = dict(name='mlp', widths=(8192, 8192, 512), bias=False, final_bias=False)
  c.teacher = dict(name='ema', decay=0.99, networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.capacity = dict(name='mmcr', of=dict(z='views.q', k='views.k'))
  c.watch = ('views.q[0]', 'views.q[1]')
  rate = dict(name='cosine', peak=0.6, end=0.6 * 1e-3, warmup='10 epochs')
  c.optimizer = dict(name='lars', form='byol', learning_rate=rate, per=256, weight_decay=1e-6, momentum=0.9)
  return c
