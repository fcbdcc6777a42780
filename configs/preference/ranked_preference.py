"""A general language assistant as a laboratory for alignment. Askell et al. 2021. arXiv:2112.00861, sections 3 and 4."""

from jssl.configs import common


def get_config():
  c = common.answers(steps=600, terms=3, train=20000, human=100)
  c.number, c.kind = 215, 'preference'
  c.heads.reward = dict(name='linear', dim=1)
  before, after = (dict(name='switch', before=x, after=1.0 - x, at='70%') for x in (1.0, 0.0))
  cheap = dict(chosen='cheap_chosen', rejected='cheap_rejected')
  # Preference model pre-training: cheap pairs, and their better answers told token by token; then the few pairs that count.
  c.terms.cheap = dict(name='rewarded', objective=dict(name='bradley_terry'), weight=before, **cheap)
  c.terms.told = dict(
    name='imitated', objective=dict(name='token_cross_entropy'), start=7, column='cheap_chosen', weight=before
  )
  c.terms.pairs = dict(name='rewarded', objective=dict(name='bradley_terry'), weight=after)
  c.evaluators = dict(pairs=dict(name='pair_rewards'))
  alone = ('terms.cheap.weight=0.0', 'terms.told.weight=0.0', 'terms.pairs.weight=1.0')
  c.claim = dict(
    metric='pairs_accuracy', beats=('random_init', 'not_pretrained', 'imitation'), margin=0.03, seeds=3,
    variants=dict(
      not_pretrained=alone, binary=('terms.pairs.objective.name=binary_preference',),
      imitation=(
        'terms.cheap.weight=0.0', 'terms.told.column=chosen', 'terms.told.weight=1.0', 'terms.pairs.weight=0.0',
        'evaluators.pairs.name=pair_likelihoods',
      ),
    ),
  )  # fmt: skip
  return c
