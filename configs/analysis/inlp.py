"""Null It Out (INLP). Ravfogel, Elazar, Gonen, Twiton, Goldberg, ACL 2020. arXiv:2004.07667, Algorithm 1.

Most sentences say nothing of the occupation, so that a classifier of it leans on the name.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='occupations', length=16)
  c.number = 176
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
