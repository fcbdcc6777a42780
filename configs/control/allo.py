"""ALLO. Gomez, Bowling, Machado, ICLR 2024. arXiv:2310.10833, section 3 and Algorithm 1.

Deviates: duals rise at a rate of 0.01 (official 1e-4): there are 1,500 steps, and 20,000 in the official code.
Deviates: the barrier rises at a rate of 0.01 (official 1.0), at which it stays near its start of 2 for so few steps.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.rooms(scale, batch_size=256, steps=1500, goal=False, episodes=512, length=common.at(scale)(small=64, tiny=8))
  c.number = 17
  c.parts = (
    'graph drawing: half the mean squared distance of d = 7 functions at a state and at a later one (official code: d = 11, without the half)',
    'lower-triangular errors of orthonormality, with stop-gradient on the function of the smaller index: order and rotation are fixed',
    'barrier: the product of two independent estimates of the errors, from halves of the batch (official code: two further batches)',
    'gradient ascent of duals and barrier coefficient, which starts at 2, rates 0.01 each (official code: 1e-4, and 1.0 on a running mean)',
    'pairs of states a geometric number of steps apart, discount 0.8 (official code: 0.9), of uniformly random actions',
    'mean absolute cosine to the true eigenvectors in order, in four rooms seen as images',
    'baselines: generalized graph drawing with penalty 5, and plain graph drawing',
    dict(part='eigenvalues read from the duals, and their error', out='open', why='the evaluator reads eigenvectors alone'),
    dict(part='initial barrier coefficients swept; other environments; coordinates as inputs', out='open', why='one of each'),
    dict(part='three layers of 256 units, 1,024 pairs a step, 20,000 steps and more', out='scale', why='two layers, 256 pairs, 1,500 steps'),
  )
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
