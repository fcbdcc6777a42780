"""Invariant representations with missing data. Goldstein et al. 2021. arXiv:2112.00881."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='coloured_digits', batch_size=256, epochs=60)
  c.number = 96
  c.parts = (
    'squared MMD of the representations of the two groups within a class, Gaussian kernels of three widths, weight 5, beside cross-entropy',
    'doubly robust weights of examples; observed ones alone as the rival (regression and inverse propensity are built, no row runs them)',
    'propensity and imputation by logistic regressions on tint, ink and label, cross-fitted, before training',
    'test set with the correlation of label and nuisance reversed; the oracle that sees every nuisance',
    dict(part='batches stratified by label', out='scale', why='256 of 1,348 examples hold both labels in near equal shares'),
    dict(part='early stopping by the same risk on validation data', out='open', why='trained for a fixed number of epochs'),
    dict(part='clinical data', out='data', why='MIMIC needs an agreement of use'),
  )
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
  c.evaluators = dict(head=dict(name='classify'), colour=dict(name='erasure', attribute='nuisance'))
  only = ('losses.gap.estimator.name=observed_only', f'losses.gap.of={observed}')
  c.claim = dict(
    metric='head_top1', beats=('erm', 'observed_only'), margin=0.02, without='erm', ceiling=('oracle',),
    manipulation=dict(metric='colour_attribute_top1', beats=('erm',), margin=0.05, lower=True),
    variants=dict(erm=('losses.gap.weight=0.0',), observed_only=only, oracle=('data.missing=False', *only)),
    also=(dict(metric='head_top1', beats=('oracle',), margin=-0.05),),
  )  # fmt: skip
  return c
