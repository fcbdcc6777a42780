"""ALLO. Gomez, Bowling, Machado, ICLR 2024. arXiv:2310.10833, section 3 and Algorithm 1.

Deviates: duals rise at a rate of 0.01 (official 1e-4, of a velocity): there are 1,500 steps, and 20,000 in the official code.
Deviates: the barrier rises at a rate of 0.01 (official 1.0), at which it stays near its start of 2 for so few steps.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.rooms(scale, batch_size=256, steps=1500, goal=False, episodes=512, length=common.at(scale)(small=64, tiny=8))
  c.number = 17
  c.heads.head = dict(name='linear', dim=7)
  c.passes.walk = dict(name='embed', view=dict(name='geometric_future'), heads=('head',))
  c.memories.duals = dict(name='duals', of='walk.q[0]')
  c.losses.slow = dict(name='allo', of=dict(start='walk.q[0]', end='walk.q[1]', duals='memory.duals.duals', barrier='memory.duals.barrier'))
  c.watch = ('walk.q[0]', 'walk.q[1]')
  c.evaluators = dict(laplacian=dict(name='laplacian'))
  drawing = lambda **o: f'losses.slow={dict(name="graph_drawing", of=("walk.q[0]", "walk.q[1]"), **o)}'
  c.claim = dict(
    metric='laplacian_cosine',
    beats=('generalized', 'plain', 'random_init'),
    margin=0.2,
    variants=dict(generalized=(drawing(),), plain=(drawing(equal=True),)),
  )
  return c
