"""DynaMo. Cui, Pan, Iyer, Haldar, Pinto, NeurIPS 2024. arXiv:2409.12192, section 3.

The goal flees, so that dynamics tell of it too: what never moves need not be in features that predict the next ones.
"""

from jssl.configs import common


def get_config(scale='small'):
  length = common.at(scale)(small=15, tiny=8)
  c = common.demonstrations(scale, steps=1000, episodes=1000, length=length, drag=1.0, others=0, flight=0.12)
  c.backbone.norm = 'batch'
  c.number = 91
  c.parts = (
    'inverse model: a causal transformer over the window gives latent actions of 8 numbers (official code: 8 to 64)',
    'forward model: a causal transformer predicts state t + 1 from state t and latent action t + 1',
    '1 - cosine to the state reached, by the same encoder with stop-gradient, as in the official code but for Block Pushing',
    'covariance of the states as a penalty, weight 0.04: mean square off the diagonal',
    'no augmentation and no actions; windows of 5 steps (official code: 5, and 2 for Franka Kitchen)',
    'frozen encoder judged by cloned behaviour and regression of the state, both linear (paper: VQ-BeT, diffusion policy, MLP, neighbours)',
    dict(part='moving average as the target (0.99, Block Pushing); several cameras', out='open', why='options of the official code'),
    dict(part='rows of self-supervised and pretrained encoders, and of no covariance term', out='open', why='the untrained encoder alone'),
    dict(part='ResNet-18, transformers of 6 layers, 40 epochs', out='scale', why='a perceptron and one layer, 1,000 steps'),
    dict(part='Franka Kitchen, Block Pushing, Push-T, LIBERO Goal and real robots', out='data', why='no package ships the demonstrations'),
  )
  c.heads.inverse = dict(name='window_transformer', dim=8, causal=True, width=32, depth=1)
  c.heads.forward = dict(name='window_transformer', extra=8, causal=True, width=32, depth=1)
  c.passes.walk = dict(name='trajectory')
  c.passes.actions = dict(name='apply', network='inverse', on='walk.states')
  c.passes.ahead = dict(name='apply', network='forward', on=('walk.states[:-1]', 'actions.out[1:]'))
  c.losses.dynamics = dict(name='dynamo', of=('ahead.out', 'walk.target[1:]', 'walk.states'))
  c.watch = ('ahead.out[0]', 'walk.target[1]')
  c.claim = dict(
    metric='state_r2',
    beats=('random_init',),
    margin=0.1,
    also=(dict(metric='cloning_return', beats=('random_init',), margin=0.5),),
  )
  return c
