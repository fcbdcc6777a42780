"""I-JEPA. Assran, Duval, Misra, Bojanowski, Vincent, Rabbat, LeCun, Ballas, CVPR 2023. arXiv:2301.08243, section 3.

Not held so far: its features tell less than those of the untrained network.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image_masked(scale)
  c.optimizer.learning_rate.peak = 1e-3
  c.heads.predictor = dict(name='ijepa_predictor', width=64, depth=2, heads=4)
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.996), networks=('backbone',))
  c.passes.seen = dict(name='masked_encode', mask=dict(name='block_mask'))
  c.passes.told = dict(name='jepa', context='seen.tokens', keep='seen.keep', targets='seen.targets', weight='seen.weight', x='seen.x')
  c.losses.predict = dict(name='smooth_l1', of=dict(q='told.prediction', k='told.target', mask='told.mask'))
  c.represent = dict(from_teacher=True)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
