"""MusIK. Mhammedi, Foster, Rakhlin, ICML 2023. arXiv:2304.05889, Algorithms 1 and 2."""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=33, seed=0))
  c.parts = (
    'policy cover of every layer, built backwards in time from the covers of the layers before it',
    'data of a fit: a random policy of the cover, a uniform action, then a partial policy drawn uniformly',
    'multi-step inverse kinematics: log-likelihood of action and policy from the observation and a code of the last one',
    'the code is a distribution over 3 values that the likelihood sums over, as in the official code (paper: a decoder with S values)',
    'partial policies: for each code the action and the next policy that are most likely',
    'combination lock of rich observations, horizon 10 and 10 actions: return of the best policy of the last cover',
    'with as many episodes: Q-learning, the rival, and one-step inverse kinematics',
    'one-step fits are chained: each code asks for the code of the layer before after which it is seen most often (official code: a network)',
    dict(part='policy optimisation for a reward, given the cover (PSDP)', out='open', why='the best policy of the last cover is taken'),
    dict(part='horizons of 25, 50 and 100 (official code)', out='scale', why='horizon 10, but more episodes: 440,000 (65,000 at 25)'),
  )
  sizes = dict(horizon=10, actions=10, episodes=8000, steps=600)
  c.experiment = dict(name='musik', **common.at(scale)(small=sizes, tiny=dict(horizon=2, actions=3, episodes=64, steps=5, judged=16)))
  # One step is no rival without the idea: chained, it is the form of the official code, and opens the lock as well.
  c.claim = dict(metric='return', beats=('q_learning', 'random_init'), margin=0.3, without='q_learning')
  return c
