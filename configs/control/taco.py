"""TACO. Zheng, Wang, Sun, Ma, Zhao, Xu, Daume III, Huang, NeurIPS 2023. arXiv:2306.13229, section 3."""

from jssl.configs import common


def get_config():
  c = common.rooms_played(copies=8)
  c.number = 22
  c.heads.action = dict(name='action_code', on='data.action', actions=32, dim=8)
  c.heads.projector = dict(name='joined', extra=24, widths=(64, 32))
  c.heads.reward = dict(name='joined', extra=24, widths=(64, 1))
  c.heads.target_projector = dict(name='mlp', widths=(64, 32), norm='none')
  c.heads.bilinear = dict(name='matrix', on='target_projector')
  c.terms.taco = dict(name='outcome', objective=dict(name='taco'), horizon=3)
  c.terms.curl = dict(
    name='two_view', view=dict(name='augment', column='frame', affine=dict(translate=0.1)), heads=('target_projector',),
    pairs=((0, 1),), scalars=dict(weight='bilinear'), objective=dict(name='taco'),
  )
  c.teacher.networks = ('backbone', 'q', 'target_projector')
  c.claim = dict(
    metric='control_return', beats=('random_init', 'values_alone'), margin=0.02, seeds=3,
    variants=dict(values_alone=('terms.taco.weight=0.0', 'terms.curl.weight=0.0')),
  )
  return c
