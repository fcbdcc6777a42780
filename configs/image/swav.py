"""SwAV. Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, NeurIPS 2020. arXiv:2006.09882, Eq. 2 to 5 and Algorithm 1.

Deviates: epsilon 0.03 (paper 0.05): sharper codes, by which the official README keeps runs from the collapse that they begin in.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'swapped prediction: cross-entropy of the code of one view and the softmax of the other, temperature 0.1, both directions',
    'codes by 3 iterations of Sinkhorn-Knopp over the batch, without gradient, epsilon 0.03 (paper: 0.05)',
    '100 learned prototypes of unit length (paper: 3,000)',
    'projector of two layers, 256 and 64 (paper: 2,048 and 128), that ends in batch norm (official code: none)',
    'two views by affine moves, brightness and contrast (paper: crops, flips, colour, grey and blur); linear probe before the projector',
    dict(part='multi-crop: views of 224 and 96 pixels', out='open', why='two views of one size'),
    dict(part='queue of 3,840 earlier embeddings for small batches; prototypes fixed in the first epoch', out='open', why='neither'),
    dict(part='fine-tuning on 1 % and 10 % of the labels; DeepCluster-v2 as a rival', out='open', why='neither is run'),
    dict(part='ImageNet, Instagram; transfer to Places, VOC, iNaturalist, COCO', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50 of widths 1 to 5, 800 epochs at batch 4,096', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.optimizer.learning_rate.peak = 4e-3
  # Normalised over the batch, embeddings start apart; without it they start alike, and codes that are uniform keep them so.
  c.heads.projector = dict(name='mlp', widths=(256, 64), final_norm=True)
  c.heads.prototypes = dict(name='prototypes', on='projector', k=100)
  c.passes.views = dict(name='embed', heads=('projector', 'prototypes'))
  c.losses.swap = dict(name='swav', of=('views.q', 'views.k'), pairs='all', epsilon=0.03)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
