"""TACO. Zheng, Wang, Sun, Ma, Zhao, Xu, Daume III, Huang, NeurIPS 2023. arXiv:2306.13229, section 3.

Built: z, a projection of the encoder's features, from which g, the predicted reward and CURL start; codes of actions, of which the
critic is given one and g and the reward a sequence; one W for TACO and CURL; keys by the current networks, without gradient; random
shifts of all observations that are learnt from, new ones for the critic and for both sides of every contrast.
Left out: DrQ-v2, its actor and the smaller of two critics, as actions are numbers here; Q-learning takes its place, whose target
critic has slow copies of the encoder and of the code too, where the official one reads the current ones. Its replay buffer, as the
current policy plays every batch; where an episode ends within a window, that window is left out of TACO and of the reward.
Deviates: shifts of 1 pixel (paper 4): of 7 pixels instead of 84. Code of 8 numbers (official 1.25 a + 1 for a numbers): the 32
actions are 4 moves.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.rooms_played(scale, copies=8)
  c.number = 22
  c.parts = (
    'temporal action contrast: state and K = 3 actions against the state K steps later, bilinear W, negatives of the batch, weight 1',
    'CURL: two shifted views of a state, the same W, weight 1 (official code: W begins uniform in [0, 1))',
    'reward of K steps, discount 0.95 (official code: 0.99), predicted from state and actions, weight 1',
    'one encoder of actions for critic, contrast and reward; codes of 8 numbers for 32 actions (official code: 1.25 a + 1)',
    'keys by the current networks without gradient, no moving average',
    'random shifts of every observation, 1 pixel of 7 (paper: 4 of 84)',
    'Q-learning of three steps, discount 0.95 (official code: 0.99), without the auxiliary losses as the rival',
    dict(part='DrQ-v2 as the base: actor, two critics, replay buffer', out='open', why='double Q-learning of discrete actions, without replay'),
    dict(part='each loss left out by itself, other K; offline training', out='open', why='all are left out together; trained online'),
    dict(part='DeepMind Control and Meta-World, contrast over 1,024 examples', out='scale', why='four rooms, 600 updates, 64 examples'),
  )
  del c.heads['action']
  c.heads.q = dict(name='coded_q', actions='data.action.size', code=8)
  c.heads.sequence = dict(name='action_sequence', on='q', length=3)
  c.heads.state = dict(name='mlp', widths=(32,), final_norm='layer', final_act='tanh')
  c.heads.projector = dict(name='state_action_mlp', on='state', extra=24, widths=(64, 32))
  c.heads.reward = dict(name='state_action_mlp', on='state', extra=24, widths=(64, 1))
  c.heads.bilinear = dict(name='matrix', on='state')
  shift = dict(name='random_shift', pad=1)
  c.passes.seen = dict(name='draw', view=shift)
  c.passes.play.observation = 'seen.x[0]'
  c.passes.shifted = dict(name='draw', view=dict(**shift, views=2))
  c.passes.walk = dict(name='trajectory', observation='shifted.x[0]', times=(0, 3), horizon=3, action='q.code', discount=0.95)
  c.passes.again = dict(name='trajectory', observation='shifted.x[1]', times=(0,))
  c.passes.z = dict(name='apply', network='state', on='walk.states')
  c.passes.key = dict(name='apply', network='state', on='again.states')
  c.passes.acted = dict(name='apply', network='sequence', on='walk.actions')
  c.passes.before = dict(name='apply', network='projector', on=('z.out[0]', 'acted.out'))
  c.passes.earned = dict(name='apply', network='reward', on=('z.out[0]', 'acted.out'))
  c.losses.taco = dict(name='taco', of=dict(prediction='before.out', target='z.out[1]', weight='nets.bilinear', mask='walk.reached'))
  c.losses.reward = dict(name='reward_error', of=dict(prediction='earned.score', target='walk.returns', mask='walk.reached'))
  c.losses.curl = dict(name='taco', of=dict(prediction='z.out[0]', target='key.out[0]', weight='nets.bilinear'))
  c.claim = dict(
    metric='control_return',
    beats=('random_init', 'values_alone'),
    margin=0.02,
    variants=dict(values_alone=tuple(f'losses.{name}.weight=0.0' for name in ('taco', 'reward', 'curl'))),
  )
  return c
