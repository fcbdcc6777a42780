"""SetFit, for legal provisions. Kilic, Bex, Gatt, ASAIL 2023. arXiv:2307.02882; Tunstall et al., arXiv:2209.11055, section 3.

The second stage, a linear map on the frozen embeddings, is the linear probe; random_init is the encoder as it was.
"""

from jssl.configs import common


def get_config():
  c = common.sentences(data='few_reviews', steps=36)
  c.number = 139
  c.data.shots = 50
  c.backbone.depth = 6
  c.view = dict(name='columns', names=('ids',))
  c.heads.classifier = dict(name='linear', dim=2)  # of the comparison
  c.terms.pairs = dict(name='label_pairs', pairs=8, objective=dict(name='cosine_regression'))
  c.optimizer.learning_rate.peak = 1e-4
  c.evaluators = dict(linear=dict(name='linear'))
  c.claim = dict(
    metric='linear_top1', beats=('random_init', 'classes'), margin=0.02, seeds=3,
    variants={'classes': ('terms.pairs.name=classified', "terms.pairs.objective={'name': 'softmax_cross_entropy'}")},
  )  # fmt: skip
  return c
