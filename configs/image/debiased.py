"""Debiased Contrastive Learning. Chuang, Robinson, Lin, Torralba, Jegelka, NeurIPS 2020. arXiv:2007.00224, section 4.

It is ahead of biased contrast by less than seeds differ: on three seeds either came out ahead, hence six. The intervals overlap.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=128, epochs=25, widths=(16, 32, 64, 64))
  c.number = 73
  c.data.train = 2000
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='debiased', of=('views.q', 'views.k'), pairs='all', temperature=0.5, tau_plus=0.1)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, seeds=6,
    also=(dict(metric='linear_top1', beats=('biased',), margin=0.0),),
    variants=dict(
      biased=('losses.nce.tau_plus=0.0',),
      true_negatives=('losses.nce.tau_plus=0.0', "losses.nce.of={'q': 'views.q', 'k': 'views.k', 'ids': 'batch.label'}"),
    ),
  )  # fmt: skip
  return c
