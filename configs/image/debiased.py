"""Debiased Contrastive Learning. Chuang, Robinson, Lin, Torralba, Jegelka, NeurIPS 2020. arXiv:2007.00224, section 4.

True negatives leave little head room above biased contrast with ten classes in a batch of 128.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=128, epochs=25, widths=(16, 32, 64, 64))
  c.number = 73
  c.parts = (
    'estimate of the mean of negatives without the share tau+ = 0.1 of false ones, not below exp(-1/t), t = 0.5; with gradient',
    'N = 2(b - 1) negatives, one positive',
    'biased contrast (tau+ = 0) and true negatives as rivals',
    dict(part='several positives, M > 1', out='open', why='the objective takes one'),
    dict(part='ResNet-50, 400 epochs', out='scale', why='a convnet, 25 epochs'),
    dict(part='CIFAR-10, STL-10, ImageNet-100', out='data', why='no package ships them; MNIST'),
    dict(part='sentences (BookCorpus) and control (CURL)', out='open', why='images alone'),
  )
  c.data.train = 2000
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='debiased', of=('views.q', 'views.k'), pairs='all', temperature=0.5, tau_plus=0.1)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, without='biased', ceiling=('true_negatives',),
    also=(dict(metric='linear_top1', beats=('biased',), margin=0.0),),
    variants=dict(
      biased=('losses.nce.tau_plus=0.0',),
      true_negatives=('losses.nce.tau_plus=0.0', "losses.nce.of={'q': 'views.q', 'k': 'views.k', 'ids': 'batch.label'}"),
    ),
  )  # fmt: skip
  return c
