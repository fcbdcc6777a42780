"""Learning to summarize from human feedback. Stiennon et al., NeurIPS 2020. arXiv:2009.01325, section 3.4.

Deviates: beta 0.5 (paper 0.05): the penalty is a sum over an answer, of 3 tokens here and of 24 to 48 in the paper. The row
`beta_0.05` has the paper's.
"""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=232, kind='preference', seed=0))
  c.parts = (
    'supervised policy by imitation of the reference answers',
    'reward model: head on the supervised policy, two passes (paper: one); 15 % of labels are flipped; mean reward of the references set to 0',
    'PPO on the reward minus beta times the log-ratio to the supervised policy, a token, beta 0.5 (paper: 0.05, a row here)',
    'PPO: clip 0.2, gamma 1, lambda 0.95, whitened advantages, 4 epochs; value network of its own, which starts as the reward model',
    'beta 0 as a row; share of right steps of answers at temperature 0.01, as in the official code; learned reward and divergence',
    'best of 8 answers of temperature 1 by the reward as a row, which the claim does not name',
    dict(part='ROUGE optimised in the place of the reward', out='open', why='the learned reward alone'),
    dict(part='further comparisons collected from the trained policies', out='open', why='comparisons are drawn once'),
    dict(part='TL;DR posts, comparisons by people, transfer to CNN/DM', out='data', why='no package ships them; sums worked out step by step'),
    dict(part='models of 1.3B and 6.7B parameters', out='scale', why='two layers, 48 wide'),
  )
  sizes = common.at(scale)(small={}, tiny=dict(examples=64, steps=2, rewarded=2, rounds=1, best_of=2))
  c.experiment = dict(name='tldr', **sizes)
  c.claim = dict(
    metric='gold', beats=('supervised', 'random_init'), margin=0.02,
    also=(dict(metric='kl', beats=('beta_0',), margin=0.05, lower=True),),
  )  # fmt: skip
  return c
