"""DPO, and the losses it is surveyed with. Rafailov et al. 2023. arXiv:2305.18290, Eq. 7; Wang et al. 2024. arXiv:2407.16216.

In the first two thirds of the run the policy imitates answers of mixed quality; its copy is then the reference. KTO's reference point is
estimated from each question followed by the answers of the next example of the batch.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.answers(scale, steps=600, human=2048)
  c.number, c.kind = 209, 'preference'
  c.parts = (
    'imitation of answers of mixed quality in the first two thirds of the run; the frozen copy is the reference',
    'log-sigmoid of beta times the difference of the log-ratios of both answers, beta 0.3 (paper: 0.1 to 0.5)',
    'imitation for the whole run as the baseline',
    "losses of the survey on the same pairs: IPO, SLiC, KTO, RRHF, ORPO and SimPO; KTO's reference point from mismatched pairs",
    'share of answers without a slip at temperature 0.01 (paper: 0 to 1), which stands for the judgement of people',
    dict(part='PPO, best of n and fine-tuning on preferred answers as baselines', out='open', why='PPO and best of n are in tldr alone'),
    dict(part='frontier of reward against divergence over several beta', out='open', why='one beta is run'),
    dict(part="the survey's online, iterative and Nash methods, AI feedback", out='open', why='losses on fixed pairs alone'),
    dict(part='IMDb sentiment, TL;DR and Anthropic HH', out='data', why='no package ships the preferences; sums worked out step by step'),
    dict(part='language models of 774M to 6B parameters', out='scale', why='two layers, 48 wide'),
  )
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
  imitated = c.optimizer.to_dict()
  c.optimizer.learning_rate.peak = 3e-4
  # The reference is the policy as imitation leaves it; it knows the sums after about 400 steps.
  c.phases = (
    dict(steps='67%', losses=('told',), optimizer=imitated),
    dict(losses=('pairs',), teacher=dict(name='frozen', networks=('backbone',))),
  )
  # At this temperature the reference is best: a policy does not win by being sharper.
  c.evaluators = dict(answers=dict(name='answers', temperature=0.01))
  instead = lambda of=of, **objective: (f'losses.pairs={dict(of=of, **objective)}',)
  c.claim = dict(
    metric='answers_perfect', beats=('random_init', 'imitation'), margin=0.01, without='imitation',
    variants=dict(
      imitation=('phases=()', 'losses.pairs.weight=0.0', f'optimizer={imitated}'),
      ipo=instead(name='ipo', tau=0.3),
      slic=instead(name='slic'),
      kto=instead({**of, **mismatched}, name='kto', beta=0.3),
      rrhf=instead({**of, **lengths}, name='rrhf'),
      orpo=instead({**of, **lengths}, name='orpo'),
      simpo=instead({**of, **lengths}, name='simpo'),
    ),
  )  # fmt: skip
  return c
