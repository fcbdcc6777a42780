"""SimCSE. Gao, Yao, Chen, EMNLP 2021. arXiv:2104.08821, Eq. 1: dropout is the only augmentation.

As in the paper a sentence is the state of [CLS], after two blocks of MiniLM here, where all sentences are still alike.

Not held so far: it is far above the start, but in so few steps no better than without dropout, and both differ much by seed.
"""

from jssl.configs import common


def get_config():
  c = common.sentences(steps=48)
  c.number = 151
  c.backbone.update(depth=2, pool='cls')
  c.heads.projector = dict(name='mlp', widths=(384, 384), norm='none')
  c.terms.nce = dict(name='two_view', pairs=((0, 1),), objective=dict(name='simcse', temperature=0.05))
  c.claim = dict(
    metric='sts_spearman', beats=('random_init', 'no dropout'), margin=0.01, seeds=3,
    variants={'no dropout': ('backbone.dropout=0.0',)},
  )  # fmt: skip
  return c
