"""DynaMo. Cui, Pan, Iyer, Haldar, Pinto, NeurIPS 2024. arXiv:2409.12192, section 3.

The goal flees, so that dynamics tell of it too: what never moves need not be in features that predict the next ones.
"""

from jssl.configs import common


def get_config(scale='small'):
  length = common.at(scale)(small=15, tiny=8)
  c = common.demonstrations(scale, steps=1000, episodes=1000, length=length, drag=1.0, others=0, flight=0.12)
  c.backbone.norm = 'batch'
  c.number = 91
  c.heads.inverse = dict(name='window_transformer', dim=8, width=32, depth=1)
  c.heads.forward = dict(name='window_transformer', extra=8, causal=True, width=32, depth=1)
  c.passes.walk = dict(name='trajectory')
  c.passes.actions = dict(name='apply', network='inverse', on='walk.states')
  c.passes.ahead = dict(name='apply', network='forward', on=('walk.states[:-1]', 'actions.out[1:]'))
  c.losses.dynamics = dict(name='dynamo', of=('ahead.out', 'walk.target[1:]', 'walk.states'))
  c.watch = ('ahead.out[0]', 'walk.target[1]')
  c.claim = dict(
    metric='state_r2',
    beats=('random_init',),
    margin=0.1,
    also=(dict(metric='cloning_return', beats=('random_init',), margin=0.5),),
  )
  return c
