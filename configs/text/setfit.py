"""SetFit, for legal provisions. Kilic, Bex, Gatt, ASAIL 2023. arXiv:2307.02882; Tunstall et al., arXiv:2209.11055, section 3.

The second stage, a linear map on the frozen embeddings, is the linear probe; start is the encoder as it was.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, data='few_reviews', steps=36, depth=6)
  c.number = 139
  c.data.shots = 50
  c.view = dict(name='columns', names=('ids',))
  c.heads.classifier = dict(name='linear', dim='data.label.size')  # of the comparison
  c.passes.text = dict(name='embed')
  c.passes.partners = dict(name='partners', on='whole.text.q[0]', pairs=8)
  c.losses.pairs = dict(
    name='cosine_regression', of=dict(q='text.q[0]', k='partners.k', labels='partners.same', weights='partners.weight'), over='views'
  )
  c.optimizer.learning_rate.peak = 1e-4
  c.evaluators = dict(linear=dict(name='logistic'))
  c.claim = dict(
    metric='linear_top1', beats=('start', 'classes'), margin=0.02,
    variants={
      'classes': (
        "passes.text.heads=('classifier',)",
        "losses.pairs={'name': 'cross_entropy', 'of': {'logits': 'text.q[0]', 'labels': 'batch.label'}}",
      ),
    },
  )  # fmt: skip
  return c
