"""NNCLR. Dwibedi, Aytar, Tompson, Sermanet, Zisserman, ICCV 2021. arXiv:2104.14548, section 3.2 and Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'nearest neighbour of a projection in the support set in its place, by cosine, without gradient',
    'InfoNCE of the neighbour and the prediction of the other view, the other predictions as negatives, both directions, temperature 0.1',
    "support set: queue of one view's projections, 2,048 (paper: 98,304)",
    'projector of two layers, 256 and 128, with batch norm after each (paper: three, 2,048, 2,048 and 256)',
    'predictor of two layers, 256 and 128 (paper: 4,096 and 256), batch norm in the hidden one',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey); linear probe before the projector',
    dict(part='blur and solarisation, with other rates for each view', out='open', why='both views are drawn alike'),
    dict(part='fine-tuning on 1 % and 10 % of the labels; rows of fewer augmentations and of support sets', out='open', why='not run'),
    dict(part='ImageNet; transfer to 12 other data sets', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50, 1,000 epochs at batch 4,096', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.heads.projector = dict(name='mlp', widths=(256, 128), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(256, 128))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.memories.support = dict(name='queue', of='views.k[1]', size=common.at(scale)(small=2048, tiny=64))
  c.losses.nce = dict(name='nnclr', of=dict(q='views.q', k='views.k', support='memory.support'), pairs='all', temperature=0.1)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
