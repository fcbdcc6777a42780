"""DPO, and the losses it is surveyed with. Rafailov et al. 2023. arXiv:2305.18290, Eq. 7; Wang et al. 2024. arXiv:2407.16216.

In the first half of the run the policy imitates answers of mixed quality; its copy is then the reference.
"""

from jssl.configs import common


def get_config():
  c = common.answers(steps=400, human=2048)
  c.number, c.kind = 209, 'preference'
  c.teacher = dict(name='periodic', every=200, networks=('backbone',))
  before, after = (dict(name='switch', before=x, after=1.0 - x, at='50%') for x in (1.0, 0.0))
  c.terms.told = dict(name='imitated', objective=dict(name='token_cross_entropy'), start=7, column='answer', weight=before)
  c.terms.pairs = dict(name='compared', objective=dict(name='dpo', beta=0.3), start=7, weight=after)
  c.evaluators = dict(answers=dict(name='answers'))
  instead = lambda **objective: (f'terms.pairs.objective={objective}',)
  c.claim = dict(
    metric='answers_right', beats=('random_init', 'imitation'), margin=0.05, seeds=3,
    variants=dict(
      imitation=('terms.told.weight=1.0', 'terms.pairs.weight=0.0'),
      ipo=instead(name='ipo', tau=0.3),
      slic=instead(name='slic'),
      kto=instead(name='kto', beta=0.3),
      rrhf=(*instead(name='rrhf'), 'terms.pairs.lengths=True'),
      orpo=(*instead(name='orpo'), 'terms.pairs.lengths=True'),
      simpo=(*instead(name='simpo'), 'terms.pairs.lengths=True'),
    ),
  )  # fmt: skip
  return c
