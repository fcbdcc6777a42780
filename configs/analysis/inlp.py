"""Null It Out (INLP). Ravfogel, Elazar, Gonen, Twiton, Goldberg, ACL 2020. arXiv:2004.07667, Algorithm 1.

Most sentences say nothing of the occupation, so that a classifier of it leans on the name.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='occupations', length=16)
  c.number = 176
  c.parts = (
    'rounds of a linear classifier of the attribute on projected vectors, 20 rounds of logistic regression (paper: linear SVM or logistic)',
    'projection on the intersection of all nullspaces, from the sum of the row-space projections',
    'a round counts where its classifier beats the majority on the training data (official code: an accuracy on held-out data)',
    'frozen sentence vectors; classifiers of attribute and occupation trained anew on projected vectors',
    'gap of true positive rates between the two groups, root mean square over occupations',
    'attribute and occupation correlated with 0.8 in training and not at all in the test set',
    'no projection, and as many random directions, as controls',
    dict(part='rounds within one class of the main task at a time, for fairness', out='open', why='every round reads all classes'),
    dict(part='word vectors: association tests (WEAT), clusters, neighbours; a nonlinear probe', out='open', why='sentences, linear probes'),
    dict(part='Bias in Bios, DeepMoji tweets and GloVe', out='data', why='no package ships them; made sentences'),
  )
  c.data.vague, c.data.examples = 0.6, 4096
  c.transform = dict(name='inlp', labels='gender', rounds=20, l2=1e-3)
  c.evaluators = dict(guard=dict(name='erasure', attribute='gender', l2=1e-1))
  c.claim = dict(
    metric='guard_tpr_gap', beats=('unguarded', 'random'), margin=0.05, lower=True, seeds='items',
    variants=dict(
      unguarded=('transform=None',),
      random=('transform.name=random_directions', 'transform.dim=20'),
    ),
    also=(
      dict(metric='guard_attribute_top1', beats=('unguarded', 'random'), margin=0.2, lower=True),
      dict(metric='guard_label_top1', beats=('unguarded',), margin=-0.05),
    ),
  )  # fmt: skip
  return c
