"""Invariant representations with missing data. Goldstein et al. 2021. arXiv:2112.00881."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='coloured_digits', batch_size=256, epochs=60)
  c.number = 96
  c.backbone = dict(name='mlp_backbone', widths=common.at(scale)(small=(64, 32), tiny=(16, 8)), norm='none')
  c.heads.classifier = dict(name='linear', dim='data.label.size')
  c.view = dict(name='columns', names=('image',))
  c.passes.code = dict(name='embed')
  c.passes.logits = dict(name='apply', network='classifier', on='code.pooled[0]')
  c.losses.error = dict(name='cross_entropy', of=dict(logits='logits.out', labels='batch.label'))
  observed = dict(q='code.pooled[0]', y='batch.label', nuisance='batch.nuisance', seen='batch.seen')
  c.losses.gap = dict(
    name='missing_mmd', of=dict(**observed, propensity='batch.propensity', imputation='batch.imputation'),
    estimator=dict(name='doubly_robust'), classes='data.label.size', diagonal=False, weight=5.0,
  )  # fmt: skip
  c.optimizer.learning_rate.peak = 2e-3
  c.evaluators = dict(head=dict(name='prediction'))
  only = ('losses.gap.estimator.name=observed_only', f'losses.gap.of={observed}')
  c.claim = dict(
    metric='head_top1', beats=('erm', 'observed_only'), margin=0.02, seeds=3,
    variants=dict(erm=('losses.gap.weight=0.0',), observed_only=only, oracle=('data.missing=False', *only)),
    also=(dict(metric='head_top1', beats=('oracle',), margin=-0.05),),
  )  # fmt: skip
  return c
