"""CARE. Gupta, Robinson, Lim, Villar, Jegelka, ICLR 2024. arXiv:2306.13924, section 3.

The paper's finding is that equivariance beside invariance makes better features. What the loss acts on is the residual of the best
rotation; it has to fall by a tenth of what it is without the loss, .74 on validation data. The change of inner products itself is no
measure: at weight 1 it is a thousandth, as all cosines move together, and the residual is larger (1.03).
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=256, epochs=8, widths=(16, 32, 64, 64))
  c.number = 106
  c.parts = (
    'change of inner products between two augmentations, shared by a chunk and drawn anew every epoch (official code: for each batch)',
    'weight 0.01 and 8 chunks, as for STL-10 in the official code (CIFAR-10: 0.03 and 16, CIFAR-100: 0.001 and 4)',
    'InfoNCE of two views with augmentations of their own, temperature 0.5',
    'uniformity alone in the place of InfoNCE (official code: the logarithm of the sum over negatives)',
    "Wahba's problem: the residual of the best rotation between two augmentations",
    dict(part='ResNet-18 and ResNet-50, 400 epochs', out='scale', why='a convnet, 8 epochs'),
    dict(part='CIFAR-10, CIFAR-100, STL-10, ImageNet-100, Flowers-102', out='data', why='no package ships them; MNIST'),
    dict(part='MoCo v2 as the base method', out='open', why='a variant that is not built'),
  )
  c.data.train = 2000
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.5)
  c.passes.moved = dict(name='embed', heads=('projector',), view=dict(name='grouped', view=c.view.to_dict(), chunks=8))
  c.losses.rotation = dict(name='care', of=dict(q='moved.q', k='moved.k', ids='batch.example'), pairs=((0, 1),), chunks=8, weight=0.01)
  c.evaluators = dict(rotation=dict(name='equivariance', view=c.view.to_dict()), linear=dict(name='logistic'))
  c.claim = dict(
    metric='linear_top1', beats=('invariant',), margin=0.0, without='invariant',
    manipulation=dict(metric='rotation_residual', beats=('invariant',), margin=0.07, lower=True),
    variants=dict(
      invariant=('losses.rotation.weight=0.0',),
      equivariant_only=('losses.nce.name=uniformity',),
    ),
  )  # fmt: skip
  return c
