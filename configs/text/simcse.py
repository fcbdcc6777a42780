"""SimCSE. Gao, Yao, Chen, EMNLP 2021. arXiv:2104.08821, Eq. 1: dropout is the only augmentation.

As in the paper a text is the state of [CLS], after five blocks of MiniLM here, where all texts are still alike. Texts are the words of
SimLex-999, of which people judged 999 pairs; on the pairs of the Lee documents, 435 of 30, seeds differ by more than dropout does.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, data='simlex', steps=48, length=8, depth=5, pool='cls')
  c.number = 151
  c.heads.projector = dict(name='mlp', widths=common.at(scale)(small=(384, 384), tiny=(32, 16)), norm='none')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='simcse', of=('views.q', 'views.k'), pairs=((0, 1),), temperature=0.05)
  c.evaluators = dict(sts=dict(name='sts'))
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'no dropout'), margin=0.01,
    variants={'no dropout': ('backbone.dropout=0.0',)},
  )  # fmt: skip
  return c
