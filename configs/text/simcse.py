"""SimCSE. Gao, Yao, Chen, EMNLP 2021. arXiv:2104.08821, Eq. 1: dropout is the only augmentation.

Not held so far: MiniLM is tuned by contrast already, the loss is nearly 0 after a few steps, and dropout teaches it nothing.
"""

from jssl.configs import common


def get_config():
  c = common.sentences()
  c.number = 151
  c.backbone.depth = 2
  c.heads.projector = dict(name='mlp', widths=(384, 384), norm='none')
  c.terms.nce = dict(name='two_view', pairs=((0, 1),), objective=dict(name='simcse', temperature=0.05))
  c.claim = dict(
    metric='sts_spearman', beats=('random_init', 'no dropout'), margin=0.01, seeds=3,
    variants={'no dropout': ('backbone.dropout=0.0',)},
  )  # fmt: skip
  return c
