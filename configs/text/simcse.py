"""SimCSE. Gao, Yao, Chen, EMNLP 2021. arXiv:2104.08821, Eq. 1: dropout is the only augmentation.

No encoder pre-trained by masked words is at hand, so masked words are learned beside, as the paper's optional term does.
"""

from jssl.configs import common


def get_config():
  c = common.text()
  c.number = 151
  c.heads.projector = dict(name='mlp', widths=(128, 128), norm='none')
  c.heads.lm = dict(name='lm_head')
  c.terms.nce = dict(name='two_view', pairs=((0, 1),), objective=dict(name='simcse', temperature=0.05))
  c.terms.mlm = dict(name='masked_lm', mask=dict(name='mask_tokens'), objective=dict(name='token_cross_entropy'), weight=0.1)
  c.evaluators = dict(sts=dict(name='sts'))
  c.claim = dict(
    metric='sts_spearman', beats=('masked words alone', 'no dropout', 'words deleted'), margin=0.02, seeds=3,
    variants={
      'masked words alone': ('terms.nce.weight=0.0',),
      'no dropout': ('backbone.dropout=0.0',),
      'words deleted': ('view.name=deleted', 'backbone.dropout=0.0'),
    },
  )  # fmt: skip
  return c
