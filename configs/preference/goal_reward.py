"""Goal-conditioned reward models. Nath et al. 2024. arXiv:2407.13887, section 3."""

from jssl.configs import common


def get_config():
  c = common.answers(human=2048)
  c.number, c.kind = 103, 'preference'
  c.heads.reward = dict(name='linear', dim=1)
  c.terms.reward = dict(
    name='goal_rewarded', start=7, objectives=dict(reward=dict(name='bradley_terry'), contrast=dict(name='goal_contrast')),
  )
  c.evaluators = dict(half=dict(name='half_way'))
  c.claim = dict(
    metric='half_goal_auroc', beats=('random_init', 'bradley_terry'), margin=0.03, seeds=3,
    also=(dict(metric='half_accuracy', beats=('bradley_terry',), margin=-0.02),),
    variants=dict(bradley_terry=('terms.reward.weight_contrast=0.0',)),
  )  # fmt: skip
  return c
