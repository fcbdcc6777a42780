"""Learning to summarize from human feedback, its reward model. Stiennon et al., NeurIPS 2020. arXiv:2009.01325, section 3.4."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.answers(scale, steps=3000, terms=3, train=20000, human=20000)
  c.kind = 'preference'
  c.parts = (
    'scalar reward by a linear head on the last token; log-sigmoid of the difference of both answers; ten passes over the pairs (paper: one)',
    'accuracy on held-out comparisons',
    dict(part='start from the supervised policy', out='open', why='trained from scratch here; tldr starts from its policy'),
    dict(part='mean reward of the reference answers set to 0', out='open', why='done in tldr alone: accuracy does not depend on it'),
    dict(part='accuracy against size and number of comparisons', out='open', why='one size and one number are run'),
    dict(part='comparisons of summaries by people', out='data', why='no package ships them; sums worked out step by step'),
    dict(part='models of 1.3B and 6.7B parameters', out='scale', why='two layers, 48 wide'),
  )
  c.heads.reward = dict(name='linear', dim=1)
  c.passes.pairs = dict(name='embed', view=dict(name='columns', names=('chosen', 'rejected')), heads=('reward',))
  c.losses.reward = dict(name='bradley_terry', of=('pairs.score[0]', 'pairs.score[1]'))
  c.metrics.accuracy = dict(name='pair_accuracy', of=('pairs.score[0]', 'pairs.score[1]'))
  c.evaluators = dict(pairs=dict(name='pair_rewards'))
  c.claim = dict(metric='pairs_accuracy', beats=('random_init',), margin=0.2)
  return c
