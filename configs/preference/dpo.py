"""DPO, and the losses it is surveyed with. Rafailov et al. 2023. arXiv:2305.18290, Eq. 7; Wang et al. 2024. arXiv:2407.16216.

In the first half of the run the policy imitates answers of mixed quality; its copy is then the reference. KTO's reference point is
estimated from each question followed by the answers of the next example of the batch.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.answers(scale, steps=400, human=2048)
  c.number, c.kind = 209, 'preference'
  c.passes.told = dict(name='causal_lm', columns='answer')
  c.passes.answers = dict(name='causal_lm', columns=('chosen', 'rejected'))
  c.passes.mismatched = dict(name='causal_lm', columns=('chosen', 'rejected'), roll=1)
  of = dict(
    chosen='answers.log_prob[0]', rejected='answers.log_prob[1]', reference_chosen='answers.reference[0]',
    reference_rejected='answers.reference[1]',
  )  # fmt: skip
  mismatched = dict(mismatched='mismatched.log_prob', mismatched_reference='mismatched.reference')
  lengths = dict(chosen_length='answers.length[0]', rejected_length='answers.length[1]')
  c.losses.told = dict(name='token_cross_entropy', of=('told.logits', 'told.labels', 'told.valid'))
  c.losses.pairs = dict(name='dpo', of=of, beta=0.3)
  c.metrics.accuracy, c.metrics.margin = dict(name='pair_accuracy', of=of), dict(name='pair_margin', of=of)
  # The reference is the policy as imitation leaves it.
  c.phases = (
    dict(steps='50%', losses=('told',)),
    dict(losses=('pairs',), teacher=dict(name='frozen', networks=('backbone',))),
  )
  c.evaluators = dict(answers=dict(name='answers'))
  instead = lambda of=of, **objective: (f'losses.pairs={dict(of=of, **objective)}',)
  c.claim = dict(
    metric='answers_right', beats=('random_init', 'imitation'), margin=0.05,
    variants=dict(
      imitation=('phases=()', 'losses.pairs.weight=0.0'),
      ipo=instead(name='ipo', tau=0.3),
      slic=instead(name='slic'),
      kto=instead({**of, **mismatched}, name='kto', beta=0.3),
      rrhf=instead({**of, **lengths}, name='rrhf'),
      orpo=instead({**of, **lengths}, name='orpo'),
      simpo=instead({**of, **lengths}, name='simpo'),
    ),
  )  # fmt: skip
  return c
