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
  c.passes.walk = dict(name='trajectory', times=(0, 3), horizon=3, action='action')
  c.passes.before = dict(name='apply', network='projector', on=('walk.states[0]', 'walk.actions'))
  c.passes.after = dict(name='apply', network='target_projector', on='walk.states[1]')
  c.passes.earned = dict(name='apply', network='reward', on=('walk.states[0]', 'walk.actions'))
  c.losses.taco = dict(name='taco', of=dict(prediction='before.out', target='after.out', weight='nets.bilinear', mask='walk.reached'))
  c.losses.reward = dict(name='reward_error', of=dict(prediction='earned.score', target='walk.returns', mask='walk.reached'))
  shifted = dict(name='augment', column='frame', affine=dict(translate=0.1))
  c.passes.views = dict(name='embed', view=shifted, heads=('target_projector',))
  c.losses.curl = dict(name='taco', of=dict(prediction='views.q', target='views.k', weight='nets.bilinear'), pairs=((0, 1),))
  c.teacher.networks = ('backbone', 'q', 'target_projector')
  c.claim = dict(
    metric='control_return', beats=('random_init', 'values_alone'), margin=0.02, seeds=3,
    variants=dict(values_alone=tuple(f'losses.{name}.weight=0.0' for name in ('taco', 'reward', 'curl'))),
  )
  return c
