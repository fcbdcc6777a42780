"""What demonstrations teach: dynamics without actions, and chunks of actions with what they lead to."""

import jax
import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.terms.trajectory import alive, over_time
from jssl.types import Objective, Term


def latent_actions(
  *, objective: Objective, encoder: str = 'backbone', inverse: str = 'inverse', forward: str = 'forward'
) -> Term:
  """No actions are given: an inverse model tells a narrow one from the whole window, a forward model the next state by it (DynaMo).

  z = q(s_0 .. s_T-1), s^_t+1 = g([s_t, z_t+1], causal in t); the target is the state reached, by the target encoder where
  the method has a teacher.

  Args:
    objective: (prediction: [b t d], target: [b t d], states: [b t+1 d]) -> [b].
  """

  def encode(nets, target, batch, keys):
    del keys
    s = over_time(nets[encoder], batch['observation'])
    z = nets[inverse](s)
    prediction = nets[forward](jnp.concatenate([s[:, :-1], z[:, 1:]], -1))
    reached = over_time(target[encoder], batch['observation']) if target else s
    return {'prediction': prediction, 'target': reached[:, 1:], 'states': s}

  def judge(nets, encoded, state, key, step):
    del nets, key
    return jnp.mean(at(objective, step)(**encoded)), (state, {})

  return Term(stateless, encode, judge, lambda encoded, state, step: {'pairs': (encoded['prediction'][:, 0], encoded['target'][:, 0])})


def chunk(
  *, objective: Objective, encoder: str = 'backbone', predictor: str = 'predictor', decoder: str = 'decoder'
) -> Term:
  """From the present observation alone, the chunk of actions that follows, and the latent states that go with it (ACT-JEPA).

  Args:
    objective: (actions [b t a], action_targets [b t a], states [b t d], state_targets [b t d], mask [b t]) -> [b].
    predictor: tokens of the present -> [b t d]; held against the teacher's tokens of the window.
    decoder: tokens of the present -> [b t a].
  """

  def encode(nets, target, batch, keys):
    del keys
    tokens = nets[encoder](batch['frame']).tokens
    return {
      'actions': nets[decoder](tokens),
      'action_targets': batch['action'],
      'states': nets[predictor](tokens),
      'state_targets': jax.lax.stop_gradient(target[encoder](batch['observation']).tokens),
      'mask': alive(batch),
    }

  def judge(nets, encoded, state, key, step):
    del nets, key
    return jnp.mean(at(objective, step)(**encoded)), (state, {})

  return Term(stateless, encode, judge)
