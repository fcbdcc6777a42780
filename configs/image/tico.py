"""TiCo. Zhu, Moraes, Karakulak, Sobol, Canziani, LeCun, 2022. arXiv:2206.10698, Eq. 4 and its pseudo-code.

The paper's finding is that the running covariance stands for a memory of all earlier embeddings, at no cost, so that small batches suffice.

The scale `imagenet` is the ResNet-50 of 1,000 epochs. There is no official code, and the text of the paper was not at hand. Projector and
views are as lightly quotes them (TiCoProjectionHead, TiCoTransform), beta, rho and the decay of teacher and weights as in its benchmark.
Learning rate, batch size and epochs, those of BYOL, are from memory alone, and the published value is left open.
Deviates: batch statistics of both views together; images are resized bilinearly.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=None, source='arXiv:2206.10698, ResNet-50, 1000 epochs', hardware='unpublished', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=32, epochs=10, widths=(16, 32, 64, 64))
  c.parts = (
    'one minus the cosine of the two views',
    'contrast: q^T C q, weight rho 8, with C a running second moment of unit-length embeddings, decay beta 0.9, without gradient',
    'momentum encoder and projector for the second view, decay rising by a cosine from 0.9 to 1 (paper: from 0.99)',
    'one direction: the first view by the trained networks, the second by the momentum ones',
    'projector of two layers with batch norm, 256 and 64 (paper: 4,096 and 256); AdamW (paper: LARS)',
    'two views by affine moves, brightness and contrast (paper: those of BYOL, as at the scale imagenet)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='rows of rho, beta, batch sizes, projectors and without a momentum encoder', out='open', why='batches of 32 alone'),
    dict(part='fine-tuning on 1 % and 10 % of the labels', out='open', why='not run'),
    dict(part='ImageNet; transfer to classification and detection', out='data', why='no package ships them; 2,000 digits'),
    dict(part='ResNet-50, 1,000 epochs', out='scale', why='a convnet, 10 epochs'),
  )
  c.data.train = 2000
  c.optimizer.learning_rate.peak = 4e-3
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  build(c, start=0.9)
  c.evaluators = dict(linear=dict(name='logistic'), isotropy=dict(name='isotropy'))
  c.claim = dict(
    metric='linear_top1', beats=('no_memory',), margin=0.005, without='no_memory',
    also=(dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02),),
    manipulation=dict(metric='isotropy_rank', beats=('invariance',), margin=10.0),
    variants=dict(no_memory=('losses.contrast.beta=0.0',), invariance=('losses.contrast.rho=0.0',)),
  )  # fmt: skip
  return c


def build(c, *, start: float) -> None:
  c.teacher = dict(name='ema', decay=dict(name='rise', start=start), networks=('backbone', 'projector'))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.covariance = dict(name='moment', of='views.q[0]', beta=0.9)
  of = dict(q='views.q', k='views.k', covariance='memory.covariance')
  c.losses.contrast = dict(name='tico', of=of, pairs=((0, 1),), beta=0.9, rho=8.0)


def imagenet():
  c = common.imagenet(batch_size=4096, epochs=1000)
  c.view = common.imagenet_views()
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.heads.projector = dict(name='mlp', widths=(4096, 256), bias=False)
  build(c, start=0.99)
  rate = dict(name='cosine', peak=0.2, warmup='10 epochs')
  c.optimizer = dict(name='lars', form='byol', learning_rate=rate, per=256, weight_decay=1.5e-6, momentum=0.9)
  return c
