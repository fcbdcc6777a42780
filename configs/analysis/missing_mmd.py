"""Invariant representations with missing data. Goldstein et al. 2021. arXiv:2112.00881."""

from jssl.configs import common


def get_config():
  c = common.base(data='coloured_digits', batch_size=256, epochs=60)
  c.number = 96
  c.backbone = dict(name='mlp_backbone', widths=(64, 32), norm='none')
  c.heads.classifier = dict(name='linear', dim=2)
  c.view = dict(name='columns', names=('image',))
  c.terms.invariant = dict(
    name='invariant',
    objective=dict(name='conditional_mmd', classes=2, diagonal=False),
    estimator=dict(name='doubly_robust'),
    penalty=5.0,
  )
  c.optimizer.learning_rate.peak = 2e-3
  c.evaluators = dict(head=dict(name='prediction'))
  observed = ('terms.invariant.estimator.name=observed_only', 'terms.invariant.given=("nuisance", "seen")')
  c.claim = dict(
    metric='head_top1', beats=('erm', 'observed_only'), margin=0.02, seeds=3,
    variants=dict(erm=('terms.invariant.penalty=0.0',), observed_only=observed, oracle=('data.missing=False', *observed)),
    also=(dict(metric='head_top1', beats=('oracle',), margin=-0.05),),
  )  # fmt: skip
  return c
