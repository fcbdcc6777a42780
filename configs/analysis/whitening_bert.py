"""WhiteningBERT. Huang et al., Findings of EMNLP 2021. arXiv:2104.01767, sections 2.1 to 2.3.

The paper's encoders were never tuned on sentences; MiniLM was, so only its first five blocks are taken. Whitening is fitted to
300 documents, which tell few directions: six are kept. Both numbers were chosen by the pairs of documents kept for validation.
Not held so far: whitened, the first and the last layer beat the first token, but not the last layer, nor themselves unwhitened.
"""

from jssl.configs import common


def get_config():
  c = common.frozen_minilm(data='lee_documents', length=128)
  c.number = 178
  c.backbone.update(depth=5, pool='first_last')
  c.transform = dict(name='pca_whiten', dim=6)
  c.evaluators = dict(sts=dict(name='sts', pairs='pairs_test'))
  c.claim = dict(
    metric='sts_spearman', beats=('last_layer', 'unwhitened', 'first_token'), margin=0.0, seeds=1,
    variants=dict(
      last_layer=('backbone.pool=mean',),
      unwhitened=('transform=None',),
      first_token=('backbone.pool=cls', 'transform=None'),
    ),
  )  # fmt: skip
  return c
