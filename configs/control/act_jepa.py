"""ACT-JEPA. Vujinovic, Kovacevic, 2025. arXiv:2501.14622, section 3; official code: github.com/act-jepa/act-jepa, models/act_jepa.py."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.demonstrations(scale, side=0, others=4, episodes=50, window=5, batch_size=64)
  c.number = 59
  c.parts = (
    'context encoder of the present observation, a vector here: one token through a transformer',
    'predictor: one learned query a step attends to the context and tells the latents of 5 steps, the present first (official code: 30)',
    'target encoder: moving average, decay rising linearly from 0.996 to 1, on the true observations of the window, without gradient',
    'action decoder: one learned query an action, a chunk of 5, which attends to the context tokens, not to the predicted states',
    'L1 of actions plus L1 of latent states, weight 1 each, without the end of the episode',
    'the first action of a new chunk is executed at each step',
    'the same network on actions alone as the baseline; linear regression of the true states of the window from the features',
    dict(part='images, by a ResNet-18, and the task beside proprioception', out='open', why='vectors of one task; it can be drawn as images'),
    dict(part='other baselines of imitation learning', out='open', why='not implemented'),
    dict(part='Meta-World, ManiSkill and Push-T; 4 layers of 512', out='scale', why='a point mass, 50 demonstrations; 2 layers of 32'),
  )
  shape = common.at(scale)(small=dict(width=32), tiny=dict(width=16, depth=1, heads=2))
  c.backbone = dict(name='timeline_encoder', on='data.frame', **shape)
  c.heads.predictor = dict(name='action_decoder', length='data.action.length', width=32)
  c.heads.decoder = dict(name='action_decoder', length='data.action.length', dim='data.action.width')
  c.teacher = dict(name='ema', decay=dict(name='linear', start=0.996, end=1.0))
  c.passes.window = dict(name='trajectory')
  c.passes.now = dict(name='encode', on='batch.frame')
  c.passes.ahead = dict(name='encode', on='batch.observation', teacher=True)
  c.passes.states = dict(name='apply', network='predictor', on='now.tokens')
  c.passes.actions = dict(name='apply', network='decoder', on='now.tokens')
  c.losses.chunk = dict(
    name='act_jepa',
    of=dict(actions='actions.out', action_targets='batch.action', states='states.out', state_targets='ahead.tokens', mask='window.alive'),
  )
  c.evaluators = dict(control=dict(name='chunk_control'), future=dict(name='regression', column='state'))
  c.claim = dict(
    metric='control_return',
    beats=('random_init', 'actions_alone'),
    margin=0.3,
    variants=dict(actions_alone=('losses.chunk.state_weight=0.0',)),
    also=(dict(metric='future_r2', beats=('actions_alone',), margin=0.005),),
  )
  return c
