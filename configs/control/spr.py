"""SPR. Schwarzer, Anand, Goel, Hjelm, Courville, Bachman, ICLR 2021. arXiv:2007.05929, section 2.

Eight actions for each move make Q-learning slow. Its loss is small in these rooms, so that prediction weighs .2, not 2.
Not held so far: seeds differ by more than the terms do, and five steps are no better than one or none.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.rooms_played(scale, copies=8, steps=400)
  c.number = 107
  c.parts = (
    'latent transition model rolled out for 5 steps from the first state, open loop: a residual MLP (paper: two convolutions, batch norm)',
    'negative cosine to the latents reached, summed over steps, masked beyond the episode, weight 0.2 (paper: 2, as in the official code)',
    'projector on both sides, linear predictor on one; targets by a moving average of 0.95 (paper: 0 with augmentation, 0.99 without)',
    'double Q-learning of three steps on what the policy plays, targets by the same moving average (official code: by the current weights)',
    'rows without prediction and with one step of prediction',
    dict(part='random shifts and intensity on both sides, or dropout 0.5 without them', out='open', why='neither is applied'),
    dict(part='projector shared with the first layer of the Q head; latents rescaled to [0, 1]', out='open', why='a projector of its own'),
    dict(part='Rainbow: distributional, duelling, noisy, prioritised replay, 10 steps', out='open', why='double Q-learning without replay'),
    dict(part='contrastive and quadratic losses in its place', out='open', why='rows of the paper that are not run'),
    dict(part='26 Atari games of 100,000 steps', out='scale', why='four rooms, 400 updates'),
  )
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
