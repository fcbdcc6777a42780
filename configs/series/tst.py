"""TST. Zerveas, Jayaraman, Patel, Bhamidipaty, Eickhoff, KDD 2021. arXiv:2010.02803, section 3.

Half of the values are hidden, in runs of mean length 6, where the paper hides 15 % in runs of 3; told by one label a class.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='japanese_vowels', batch_size=64, epochs=100)
  c.number = 72
  c.parts = (
    'masks drawn for each variable alone by a two-state Markov chain, 0.5 in runs of mean 6 (paper: 0.15, runs of 3); masked values are 0',
    'squared error of the masked values alone, by a linear map of the last states',
    'encoder: batch normalisation, learned positions, padding not attended to; 2 blocks of 64, 8 heads (paper: 3 blocks of 64 to 128)',
    'values masked one by one as a rival, an ablation of the paper',
    'frozen mean over steps, ridge regression from 1, 5 and 10 labels a class',
    'AdamW, 100 epochs in batches of 64 (official command: RAdam, 700 epochs in batches of 32)',
    dict(part='fine-tuning of the whole network on concatenated steps, against training from scratch', out='open', why='features are frozen'),
    dict(part='regression of series', out='open', why='classification alone'),
    dict(part='supervised rivals: ROCKET, boosting, DTW, LSTM', out='open', why='the raw series and the untrained network alone'),
    dict(part='ten further sets of classification, six of regression', out='data', why='Japanese Vowels alone is run'),
  )
  c.backbone = common.transformer(scale, 'tst', width=64, depth=2, heads=8)
  c.view = dict(name='columns', names=('series',))
  c.heads.decoder = dict(name='linear', dim='data.series.width')
  c.passes.gaps = dict(name='hide', on='batch.series', mask=dict(name='markov_mask', ratio=0.5, length=6.0))
  c.passes.states = dict(name='encode', on='batch.series', mask='gaps.mask')
  c.passes.filled = dict(name='apply', network='decoder', on='states.tokens')
  c.losses.fill = dict(name='masked_value_mse', of=('filled.out', 'batch.series', 'gaps.mask'))
  c.optimizer.learning_rate.peak = 2e-3
  c.evaluators = dict(linear=dict(name='logistic'), fewshot=dict(name='fewshot'))
  c.claim = dict(
    metric='fewshot_top1_1shot',
    beats=('random_init', 'bernoulli'),
    margin=0.005,
    # Runs of mean length 1/(1 - ratio) are values drawn one by one.
    variants=dict(bernoulli=('passes.gaps.mask.length=2.0',)),
    also=(dict(metric='fewshot_top1_1shot', beats=('raw_input',), margin=0.005),),
  )
  return c
