"""SimSiam. Chen, He, CVPR 2021. arXiv:2011.10566, Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, batch_size=128, epochs=30)
  c.parts = (
    'negative cosine of a prediction and the projection of the other view, both directions; stop-gradient on the projection',
    'projector of three layers of 256 (paper: 2,048), batch norm after each, the last without scale and shift',
    'predictor of two layers with a bottleneck, 64 of 256 (paper: 512 of 2,048), batch norm in the hidden one',
    'batch statistics of both views together (official code: each view apart); AdamW (paper: SGD)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey and blur)',
    'linear probe and nearest neighbours on features before the projector',
    dict(part='rows without stop-gradient, predictor or batch norm, and of batch sizes', out='open', why='none is run'),
    dict(part='learning rate of the predictor held constant', out='open', why='one cosine schedule for all networks'),
    dict(part='ImageNet; transfer to detection on VOC and COCO', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 100 to 800 epochs', out='scale', why='a convnet, 30 epochs'),
  )
  c.optimizer.learning_rate.peak = 2e-3
  c.heads.projector = dict(name='mlp', widths=(256, 256, 256), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(64, 256))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.match = dict(name='negative_cosine', of=('views.q', 'views.k'), pairs='all')
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
