"""data2vec. Baevski, Hsu, Xu, Babu, Gu, Auli, ICML 2022. arXiv:2202.03555, section 3.

Not held so far: its features tell less than those of the untrained network.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image_masked(scale)
  c.optimizer.learning_rate.peak = 1e-3
  c.heads.predictor = dict(name='linear')
  c.teacher = dict(name='ema', decay=dict(name='linear', start=0.996, end=0.999), networks=('backbone',))
  c.passes.seen = dict(name='masked_encode', hide='replace', mask=dict(name='beit_block_mask', ratio=0.6))
  c.passes.told = dict(name='apply', network='predictor', on='seen.tokens')
  c.passes.whole_image = dict(name='encode', on='seen.x', teacher=True, last_layers=2)
  c.losses.predict = dict(name='smooth_l1', of=dict(q='told.out', k='whole_image.averaged', mask='seen.mask'), beta=2.0)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
