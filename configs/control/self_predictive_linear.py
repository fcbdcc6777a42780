"""Self-predictive dynamics, linear. Ni, Eysenbach, Seyedsalehi, Ma, Gehring, Mahajan, Bacon, ICLR 2024. arXiv:2401.08898, Theorem 3.

Why targets are stopped: with the best linear transition at each step, features of a linear encoder stay as different as they began where the
gradient does not flow through the target, and become the same where it does. `self_predictive` has the moving average in Q-learning.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.rooms(scale, batch_size=256, steps=2000, goal=False, window=2)
  c.number, c.kind = 119, 'analysis'
  c.parts = (
    'linear encoder of two features, without bias (official code: orthogonal at the start; here normal, which is nearly so)',
    'transition: the least squares solution of each batch (official code: of all pairs), from features and action, without gradient',
    'half the squared error of the next features; gradient descent on the encoder alone, rate 1, 2,000 steps (official code: 0.01, 500)',
    'targets by a moving average of 0.995, by the same encoder without gradient, and with it (online)',
    'absolute cosine of the two columns of the encoder after training; the online target as the rival',
    'random walks in four rooms',
    dict(part='mountain car; load-unload, with histories as states', out='open', why='four rooms alone'),
  )
  c.backbone = dict(name='flat', on='data.frame')
  c.heads.head = dict(name='linear', dim=2, bias=False)
  c.heads.action = dict(name='action_embedding', on='data.action', actions='data.action.size')
  c.optimizer = dict(name='sgd', learning_rate=1.0, momentum=0.0, weight_decay=0.0)
  c.teacher = dict(name='ema', decay=0.995, networks=('backbone', 'head'))
  c.passes.states = dict(name='embed', view=dict(name='geometric_future', discount=0.0), heads=('head',))
  c.passes.step = dict(name='trajectory', times=(0,), action='action', horizon=1)
  c.losses.predict = dict(name='linear_self_predictive', of=('states.q[0]', 'step.actions', 'states.k[1]'))
  c.watch = ('states.q[0]', 'states.q[1]')
  c.evaluators = dict(columns=dict(name='column_cosine'))
  c.claim = dict(
    metric='columns_cosine', beats=('online',), margin=0.3, lower=True,
    also=(dict(metric='columns_cosine', beats=('detached',), margin=-0.1, lower=True),),
    variants=dict(detached=('teacher=None',), online=('teacher=None', 'losses.predict.online=True')),
    without='online',
  )  # fmt: skip
  return c
