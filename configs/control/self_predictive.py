"""Self-predictive RL. Ni, Eysenbach, Seyedsalehi, Ma, Gehring, Mahajan, Bacon, ICLR 2024. arXiv:2401.08898, section 3.

Returns differ much from seed to seed, hence the many; the intervals overlap, and on three seeds other rows came out ahead.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.rooms_played(scale, copies=8, distraction=3.0, window=4)
  c.number = 119
  c.parts = (
    'squared distance of the predicted next latent state to the next one, weight 0.01 (official code: 1 to 10; 1 for rewards as small)',
    'target: moving average of the encoder, decay 0.97 (official code: 0.995), with stop-gradient',
    'end to end in one phase: gradients of values and of prediction reach the encoder; no reward model, no planning',
    'double Q-learning of three steps with discrete actions, targets by the moving average too (paper: TD3 and R2D2)',
    'distracting pixels, drawn anew at each step',
    'rivals: values alone, and prediction of the next observation (OP), with the same weight (MiniGrid: 0.01 where the latent state has 1)',
    'targets with and without stop-gradient under linear dynamics, as in Theorem 3: the system self_predictive_linear',
    dict(part='prediction targets by the same encoder, with and without gradient; rank of latents', out='open', why='moving average alone'),
    dict(part='stochastic latent models with forward or reverse KL', out='open', why='deterministic prediction alone'),
    dict(part='histories by a recurrent encoder, partial observability (MiniGrid)', out='open', why='every observation tells the state'),
    dict(part='MuJoCo with distractors, 500,000 steps', out='scale', why='four rooms, 600 updates'),
  )
  c.backbone.norm = 'none'
  c.teacher.decay = 0.97
  c.passes.ahead = dict(name='latent_rollout', horizon=1)
  reached = dict(prediction='ahead.prediction', target='ahead.target', mask='ahead.alive')
  c.losses.predict = dict(name='self_predictive', of=reached, weight=0.01)
  c.watch = ('ahead.prediction[0]', 'ahead.target[0]')
  observations = 'passes.ahead.target=pixels', 'passes.ahead.predictor=decoder'
  c.heads.pixels = dict(name='flat', on='data.frame')
  c.heads.decoder = dict(name='mlp', widths=(128, 147), norm='none')
  c.claim = dict(
    metric='control_return',
    beats=('random_init', 'values_alone', 'observations'),
    margin=0.02,
    seeds=8,
    variants=dict(values_alone=('losses.predict.weight=0.0',), observations=observations),
  )
  return c
