"""Alignment and uniformity. Wang, Isola, ICML 2020. arXiv:2005.10242, section 4.1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=128, epochs=25, widths=(16, 32, 64, 64))
  c.number = 132
  c.parts = (
    'alignment: squared distance of the two views on the sphere (alpha 2)',
    'uniformity: logarithm of the mean Gaussian potential of all pairs (t 2), mean of both views; weights 1 and 1',
    'embedding by one linear layer of 64 at the end of the encoder (paper: 128), scaled to unit length',
    'alignment alone and contrast at temperature 0.2 as rivals',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour and grey); AdamW (paper: SGD)',
    'linear probe and nearest neighbours on features before that layer (paper: on embeddings and on the layer before)',
    dict(part='weights, alpha and t varied; both losses on test data, over many encoders, against accuracy', out='open', why='one setting'),
    dict(part='with a momentum encoder and a queue; sentences (Quick-Thought)', out='open', why='images without a queue'),
    dict(part='STL-10, ImageNet-100, NYU Depth, BookCorpus', out='data', why='no package ships them; 2,000 digits'),
    dict(part='AlexNet and ResNet-50, 200 epochs, batches of 768', out='scale', why='a convnet, 25 epochs, batches of 128'),
  )
  c.data.train = 2000
  c.heads.projector = dict(name='linear', dim=64)
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.sphere = dict(name='align_uniform', of=('views.q', 'views.k'), pairs=((0, 1),))
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init', 'align_only'), margin=0.02,
    also=(dict(metric='linear_top1', beats=('contrastive',), margin=-0.01),),
    variants=dict(
      align_only=('losses.sphere.uniformity_weight=0.0',),
      contrastive=(
        'losses.sphere.name=nt_xent', 'losses.sphere.temperature=0.2', 'losses.sphere.pairs=all',
      ),
    ),
  )  # fmt: skip
  return c
