"""Poly-View contrastive learning. Shidani, Hjelm, Ramapuram, Webb, Dhekane, Busbridge, ICLR 2024. arXiv:2403.05490."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=32, epochs=1, widths=(16, 32, 64, 64))
  c.number = 5
  c.parts = (
    'sufficient statistics: each view against the mean of the others, scaled to unit length; temperature 0.2 (paper, from memory: 0.1)',
    'negatives: all views of all other images of the batch',
    '8 views of 32 images a step; the rival has 2 views of 128, with as many views and steps',
    'geometric loss, the mean of pairwise log-likelihoods, as a variant; with two views it is SimCLR',
    'views by affine moves, brightness and contrast (paper: crops, flips, colour, grey and blur); projector of two layers',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='arithmetic loss, multi-crop as a rival, other numbers of views', out='open', why='not run; the arithmetic loss is there'),
    dict(part='bounds on mutual information in the Gaussian setting where it is known', out='open', why='the probes alone'),
    dict(part='ImageNet and other data sets', out='data', why='no package ships them; 2,000 digits'),
    dict(part='ResNet-50, 128 epochs at batch 256 against 1,024 at 4,096', out='scale', why='a convnet, 160 steps'),
  )
  c.data.train = 2000
  c.steps = common.at(scale)(small=160, tiny=8)  # of 256 views, however they are spread over examples
  c.view.views = 8
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.views = dict(name='poly_view_statistics', of=('views.q',), temperature=0.2)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02,
    also=(dict(metric='linear_top1', beats=('pairs',), margin=0.005),),
    variants=dict(
      pairs=(f'batch_size={4 * c.batch_size}', 'view.views=2'),
      geometric=('losses.views.name=poly_view_geometric', 'losses.views.temperature=0.2'),
    ),
  )  # fmt: skip
  return c
