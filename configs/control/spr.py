"""SPR. Schwarzer, Anand, Goel, Hjelm, Courville, Bachman, ICLR 2021. arXiv:2007.05929, section 2.

Eight actions for each move make Q-learning slow. Its loss is small in these rooms, so that prediction weighs .2, not 2.
Not held so far: seeds differ by more than the terms do, and five steps are no better than one or none.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.rooms_played(scale, copies=8, steps=400)
  c.number = 107
  c.heads.projector = dict(name='mlp', widths=(64,), norm='none')
  c.heads.predictor = dict(name='linear', on='projector')
  c.teacher = dict(name='ema', decay=0.95, networks=('backbone', 'q', 'projector'))
  c.passes.ahead = dict(name='latent_rollout', horizon=5, heads=('projector',), predictor='predictor')
  reached = dict(prediction='ahead.prediction', target='ahead.target', mask='ahead.alive')
  c.losses.predict = dict(name='spr', of=reached, weight=0.2)
  c.watch = ('ahead.prediction[0]', 'ahead.target[0]')
  c.claim = dict(
    metric='control_return',
    beats=('random_init', 'values_alone', 'one_step'),
    margin=0.02,
    seeds=8,
    variants=dict(values_alone=('losses.predict.weight=0.0',), one_step=('passes.ahead.horizon=1',)),
  )
  return c
