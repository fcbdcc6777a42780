"""Non-negative Contrastive Learning. Wang, Zhang, Guo, Wang, ICLR 2024. arXiv:2403.12459, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=256, epochs=20, widths=(16, 32, 64, 64))
  c.number = 117
  c.parts = (
    'projector made non-negative: ReLU forward, the gradient of GELU backward, as for CIFAR in the official code (ImageNet-100: ReLU)',
    'NT-Xent of these, temperature 0.2; the same without ReLU as the rival',
    'projector of two layers without batch norm, 128 and 256 (official code: 2,048 and 256)',
    'class consistency, share of zeros, mean average precision (official code: precision at 10) with the 64 dimensions of largest mean',
    'linear probe of the features before the projector; AdamW (official code: LARS)',
    'two views by affine moves, brightness and contrast (official code: crops, flips, colour, grey and blur)',
    dict(part='disentanglement (SEPIN); linear probe of selected dimensions; shifted test data; fine-tuning', out='open', why='not measured'),
    dict(part='non-negative cross-entropy with labels; two modalities; spectral form of the loss', out='open', why='not built'),
    dict(part='CIFAR-10, CIFAR-100, ImageNet-100', out='data', why='no package ships them; 2,000 digits'),
    dict(part='ResNet-18, 200 epochs', out='scale', why='a convnet, 20 epochs'),
  )
  c.data.train = 2000
  c.heads.projector = dict(name='mlp', widths=(128, 256), norm='none')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='non_negative', of=('views.q', 'views.k'), pairs='all', temperature=0.2)
  c.evaluators = dict(dimensions=dict(name='class_consistency', keep=64), linear=dict(name='logistic'))
  c.claim = dict(
    metric='dimensions_consistency', beats=('random_init', 'signed'), margin=0.05,
    also=(
      dict(metric='dimensions_sparsity', beats=('signed',), margin=0.1),
      dict(metric='dimensions_map', beats=('signed',), margin=0.01),
      dict(metric='linear_top1', beats=('signed',), margin=-0.01),
    ),
    variants=dict(signed=('losses.nce.name=nt_xent', 'losses.nce.temperature=0.2')),
  )  # fmt: skip
  return c
