"""ALLO. Gomez, Bowling, Machado, ICLR 2024. arXiv:2310.10833, section 3 and Algorithm 1.

Deviates: duals rise at a rate of 0.01 (official 1e-4): there are 1,500 steps, and 20,000 in the official code.
Deviates: the barrier rises at a rate of 0.01 (official 1.0). The larger the barrier, the more slowly duals rise to their eigenvalues.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.rooms(scale, batch_size=256, steps=1500, goal=False, episodes=512, length=common.at(scale)(small=64, tiny=8))
  c.number = 17
  c.parts = (
    'graph drawing: half the mean squared distance of d = 7 functions at a state and at a later one (official code: d = 11, without the half)',
    'lower-triangular errors of orthonormality, with stop-gradient on the function of the smaller index: order and rotation are fixed',
    'barrier: the product of two independent estimates of the errors, from halves of the batch (official code: two further batches)',
    'gradient ascent of the duals, rate 0.01 (official code: 1e-4)',
    'ascent of the barrier coefficient by the positive part of a running mean of squared errors, from 2, rate 0.01 (official code: 1.0)',
    'pairs of states a geometric number of steps apart, discount 0.8 (official code: 0.9), of uniformly random actions',
    'mean absolute cosine to the true eigenvectors in order, in four rooms seen as images',
    'eigenvalues read from the duals, and their relative error',
    'rows with a tenth and ten times the initial barrier coefficient, and of graph drawing with a tenth and ten times the penalty',
    'baselines: generalized graph drawing with penalty 5 on all errors (official code: 1, weighted as the distances are), and plain',
    dict(part='other environments; coordinates as inputs', out='open', why='four rooms seen as images'),
    dict(part='three layers of 256 units, 1,024 pairs a step, 20,000 steps and more', out='scale', why='128 and 64, 256 pairs, 1,500 steps'),
  )
  c.heads.head = dict(name='linear', dim=7)
  c.passes.walk = dict(name='embed', view=dict(name='geometric_future'), heads=('head',))
  c.memories.duals = dict(name='duals', of='walk.q[0]')
  c.losses.slow = dict(name='allo', of=dict(start='walk.q[0]', end='walk.q[1]', duals='memory.duals.duals', barrier='memory.duals.barrier'))
  c.watch = ('walk.q[0]', 'walk.q[1]')
  c.evaluators = dict(laplacian=dict(name='laplacian', duals='duals'))
  drawing = lambda **o: (f'losses.slow={dict(name="graph_drawing", of=("walk.q[0]", "walk.q[1]"), **o)}', 'evaluators.laplacian.duals=None')
  check = lambda margin, *beats, metric='laplacian_cosine', **o: dict(metric=metric, beats=beats, margin=margin, **o)
  c.claim = dict(
    **check(0.2, 'generalized', 'plain', 'random_init'),
    also=(
      # The duals start at 0, where the relative error of the eigenvalues is 1.
      check(0.7, 'random_init', metric='laplacian_eigenvalue_error', lower=True),
      # Whatever the barrier starts at: neither is worse by 0.1. The penalty of graph drawing has no such freedom.
      check(-0.1, 'low_barrier', 'high_barrier', lower=True),
      check(0.2, 'low_penalty', 'high_penalty'),
    ),
    variants=dict(
      generalized=drawing(), plain=drawing(equal=True), low_penalty=drawing(penalty=0.5), high_penalty=drawing(penalty=50.0),
      low_barrier=('memories.duals.barrier=0.2',), high_barrier=('memories.duals.barrier=20.0',),
    ),
    without='generalized',
  )  # fmt: skip
  return c
