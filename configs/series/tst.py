"""TST. Zerveas, Jayaraman, Patel, Bhamidipaty, Eickhoff, KDD 2021. arXiv:2010.02803, section 3.

Not held so far: the series are nearly all told apart before any training, and masks in runs are no better than single ones.
"""

from jssl.configs import common


def get_config():
  c = common.base(data='japanese_vowels', batch_size=64, epochs=50)
  c.number = 72
  c.backbone = dict(name='tst', width=64, depth=2, heads=8)
  c.view = dict(name='columns', names=('series',))
  c.heads.decoder = dict(name='linear', dim=12)
  c.terms.fill = dict(
    name='imputed', mask=dict(name='markov_mask', ratio=0.15, length=3.0), objective=dict(name='masked_value_mse')
  )
  c.optimizer.learning_rate.peak = 2e-3
  c.claim = dict(
    metric='linear_top1', beats=('random_init', 'bernoulli'), margin=0.005, seeds=3,
    # Runs of mean length 1/(1 - ratio) are values drawn one by one.
    variants=dict(bernoulli=('terms.fill.mask.length=1.1765',)),
    also=(dict(metric='linear_top1', beats=('raw_input',), margin=0.0),),
  )
  return c
