"""WhiteningBERT. Huang et al., Findings of EMNLP 2021. arXiv:2104.01767, sections 2.1 to 2.3.

Not held so far: MiniLM is tuned by contrast already, and whitening, which helps a BERT that is not, takes that away.
"""

from jssl.configs import common


def get_config():
  c = common.frozen_minilm(data='lee', length=32)
  c.number = 178
  c.backbone.pool = 'first_last'
  c.transform = dict(name='pca_whiten')
  c.evaluators = dict(sts=dict(name='sts'))
  c.claim = dict(
    metric='sts_spearman', beats=('last_layer', 'unwhitened', 'first_token'), margin=0.0, seeds=1,
    variants=dict(
      last_layer=('backbone.pool=mean',),
      unwhitened=('transform=None',),
      first_token=('backbone.pool=cls', 'transform=None'),
    ),
  )  # fmt: skip
  return c
