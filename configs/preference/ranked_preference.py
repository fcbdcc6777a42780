"""A general language assistant as a laboratory for alignment. Askell et al. 2021. arXiv:2112.00861, sections 3 and 4."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.answers(scale, steps=600, terms=3, train=20000, human=100)
  c.number, c.kind = 215, 'preference'
  c.parts = (
    'ranked preference modelling: log-sigmoid of the difference of rewards at the last token; accuracy on held-out pairs',
    'preference model pre-training: cheap automatic pairs, ranked, plus the language model loss of the better answer, weight 1',
    'then 100 pairs that count, ranked alone; a row without pre-training',
    'binary discrimination of each answer alone as a variant',
    'imitation learning as a rival: pairs ranked by the mean log-probability of a token; it sees the 100 better answers alone',
    dict(part='context distillation of the prompt, and its cost in capabilities', out='open', why='not implemented'),
    dict(part='a language model as the start of the preference model', out='open', why='trained from scratch'),
    dict(part='pre-training with binary labels; accuracy against the number of pairs', out='open', why='cheap pairs are ranked; one number'),
    dict(part='StackExchange, Reddit and Wikipedia edits; human preferences', out='data', why='no package ships them; sums step by step'),
    dict(part='models of 13M to 52B parameters', out='scale', why='two layers, 48 wide'),
  )
  c.heads.reward = dict(name='linear', dim=1)
  # Preference model pre-training: cheap pairs, and their better answers told token by token; then the few pairs that count.
  scores = lambda *names: dict(name='embed', view=dict(name='columns', names=names), heads=('reward',))
  c.passes.cheap = scores('cheap_chosen', 'cheap_rejected')
  c.passes.told = dict(name='causal_lm', columns='cheap_chosen')
  c.passes.pairs = scores('chosen', 'rejected')
  c.losses.cheap = dict(name='bradley_terry', of=('cheap.score[0]', 'cheap.score[1]'))
  c.losses.told = dict(name='token_cross_entropy', of=('told.logits', 'told.labels', 'told.valid'))
  c.losses.pairs = dict(name='bradley_terry', of=('pairs.score[0]', 'pairs.score[1]'))
  c.metrics.accuracy = dict(name='pair_accuracy', of=('pairs.score[0]', 'pairs.score[1]'))
  c.phases = (dict(steps='70%', losses=('cheap', 'told')), dict(losses=('pairs',)))
  c.evaluators = dict(pairs=dict(name='pair_rewards'))
  alone = ('phases=()', 'losses.cheap.weight=0.0', 'losses.told.weight=0.0')
  c.claim = dict(
    metric='pairs_accuracy', beats=('random_init', 'not_pretrained', 'imitation'), margin=0.03,
    variants=dict(
      not_pretrained=alone, binary=('losses.pairs.name=binary_preference',),
      # The better answers of both kinds of pairs, told token by token.
      imitation=(
        'losses.cheap.weight=0.0', "passes.pairs={'name': 'causal_lm', 'columns': 'chosen'}",
        "losses.pairs={'name': 'token_cross_entropy', 'of': ('pairs.logits', 'pairs.labels', 'pairs.valid')}", 'metrics={}',
        'evaluators.pairs.name=pair_likelihoods',
      ),
    ),
  )  # fmt: skip
  return c
