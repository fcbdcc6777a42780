"""PEGASUS. Zhang, Zhao, Saleh, Liu, ICML 2020. arXiv:1912.08777, section 3.1: principal sentences are written from the rest.

In the last part of the run a few summaries are learned from: first sentences of news, told from what follows.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='lee_gaps', batch_size=8, epochs=None, steps=240)
  c.number = 247
  c.backbone = common.transformer(scale, 'bert', width=64, depth=2, heads=4, dropout=0.1, std=0.1)
  c.heads.decoder = dict(name='decoder', depth=1, heads=4, dropout=0.1, std=0.1)
  c.heads.lm = dict(name='lm_head')
  c.optimizer.learning_rate.peak = 2e-3
  c.passes.gaps = dict(name='seq2seq')
  c.passes.summary = dict(name='seq2seq', source='body', text='summary')
  for name in ('gaps', 'summary'):
    of = tuple(f'{name}.{output}' for output in ('logits', 'labels', 'valid'))
    c.losses[name] = dict(name='token_cross_entropy', of=of)
    c.metrics[f'{name}_accuracy'] = dict(name='token_accuracy', of=of)
  c.phases = (dict(steps='80%', losses=('gaps',)), dict(losses=('summary',)))
  c.evaluators = dict(summary=dict(name='summaries'))
  c.claim = dict(
    metric='summary_nll', beats=('random sentences', 'no pretraining'), margin=0.02, lower=True,
    variants={
      'random sentences': ('passes.gaps.source=random_ids', 'passes.gaps.text=random_target'),
      'no pretraining': ('phases=()', 'losses.gaps.weight=0.0', f'steps={common.at(scale)(small=48, tiny=8)}'),
    },
  )  # fmt: skip
  return c
