"""Goal-conditioned reward models. Nath et al. 2024. arXiv:2407.13887, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  pairs = common.at(scale)(small=20000, tiny=100)
  c = common.answers(scale, steps=3000, terms=4, train=max(pairs, 2048), human=pairs)
  c.number, c.kind = 103, 'preference'
  c.parts = (
    'Bradley-Terry loss of a linear reward on the last state',
    'contrast of states: cosine of earlier with later tokens of the preferred answer, against tokens of the other answer; sigmoid, weight 0.5',
    'four tokens a side, all sources before all goals; mean of logarithms (official code: 16, ordered in pairs; logarithm of the batch mean)',
    'goal state: mean last state of preferred training answers; its cosine with the state at the middle of an answer, judged by AUROC',
    'accuracy of the reward on whole answers; Bradley-Terry alone as the baseline',
    dict(part='unfinished solutions filtered by the cosine, before a majority vote', out='open', why='not implemented'),
    dict(part='decoding guided by the cosine to a goal state', out='open', why='not implemented'),
    dict(part='the reward model in PPO', out='open', why='not implemented'),
    dict(part='OpenMathInstruct solutions, Anthropic HH, HelpSteer', out='data', why='no package ships them; sums worked out step by step'),
    dict(part='language models of 7B parameters and more', out='scale', why='two layers, 48 wide'),
  )
  c.heads.reward = dict(name='linear', dim=1)
  c.passes.read = dict(name='embed', view=dict(name='columns', names=('chosen', 'rejected')), heads=('reward',))
  c.passes.places = dict(name='sample', sampler=dict(name='ordered_places', column='chosen', start='data.chosen.start', draws=4))
  chosen, rejected = 'read.tokens[0]', 'read.tokens[1]'
  c.passes.states = dict(
    name='gather', on=dict(source=chosen, goal=chosen, other_source=chosen, other_goal=rejected),
    at=dict(source='places.source', goal='places.goal', other_source='places.again', other_goal='places.elsewhere'),
  )  # fmt: skip
  c.losses.reward = dict(name='bradley_terry', of=('read.score[0]', 'read.score[1]'))
  c.losses.goals = dict(name='goal_contrast', of=('states.source', 'states.goal', 'states.other_source', 'states.other_goal'), weight=0.5)
  c.metrics.accuracy = dict(name='pair_accuracy', of=('read.score[0]', 'read.score[1]'))
  c.evaluators = dict(half=dict(name='partial_reward'))
  c.claim = dict(
    metric='half_goal_auroc', beats=('random_init', 'bradley_terry'), margin=0.03,
    also=(dict(metric='half_accuracy', beats=('bradley_terry',), margin=-0.02),),
    variants=dict(bradley_terry=('losses.goals.weight=0.0',)),
    without='bradley_terry',
  )  # fmt: skip
  return c
