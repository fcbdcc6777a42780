"""Windows of trajectories: what actions lead to, told in the space of features.

Windows are as `data.rollout` makes them: action t leads from observation t to observation t + 1, unless `done` t is set
and an episode ended there.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Array, Batch, Objective, Term


def over_time(net, x: Array) -> Array:
  """A network of single observations on [b t ...], time folded into the batch: pooled features [b t d]."""
  return net(x.reshape(-1, *x.shape[2:])).pooled.reshape(*x.shape[:2], -1)


def alive(batch: Batch) -> Array:
  """[b t] true where step t belongs to the episode that the window began in; step 0 always does."""
  ended = jnp.cumsum(batch['done'], 1)
  return jnp.concatenate([jnp.ones_like(ended[:, :1]), ended[:, :-1] == 0], 1).astype(bool)


def open_loop(
  *,
  objective: Objective,
  horizon: int = 5,
  encoder: str = 'backbone',
  told: str | None = None,
  action: str = 'action',
  transition: str = 'transition',
  heads: Sequence[str] = (),
  predictor: str | None = None,
) -> Term:
  """From the first state on, each next one is predicted from the one predicted before and the action.

  z_0 = f(o_0), z_k = h(z_k-1, psi(a_k-1)); predictor(heads(z_k)) is held against heads'(f'(o_k)), k = 1 .. horizon, by the
  target networks, or by the trained ones where the method has no teacher. Stop-gradients belong to the objective.

  Args:
    objective: (prediction: [b k d], target: [b k d], mask: [b k]) -> [b].
    horizon: how many, less than a window's.
    told: the network whose features are predicted, where it is another than `encoder`: pixels as they are, say.
    heads: networks applied in turn to both sides.
    predictor: a head of the predicted side alone.
  """

  def encode(nets, target, batch, keys):
    del keys
    other = target or nets
    u = nets[action](batch['action'])
    z, ahead = nets[encoder](batch['observation'][:, 0]).pooled, []
    for k in range(horizon):
      z = nets[transition](z, u[:, k])
      ahead.append(z)
    prediction = jnp.stack(ahead, 1)
    reached = over_time((nets if told else other)[told or encoder], batch['observation'][:, 1 : horizon + 1])
    for head in heads:
      prediction, reached = nets[head](prediction), other[head](reached)
    prediction = nets[predictor](prediction) if predictor else prediction
    return {'prediction': prediction, 'target': reached, 'mask': alive(batch)[:, 1 : horizon + 1]}

  def judge(nets, encoded, state, key, step):
    del nets, key
    loss = at(objective, step)(encoded['prediction'], encoded['target'], mask=encoded['mask'])
    return jnp.mean(loss), (state, {})

  return Term(stateless, encode, judge, lambda encoded, state, step: {'pairs': (encoded['prediction'][:, 0], encoded['target'][:, 0])})


def outcome(
  *,
  objective: Objective,
  horizon: int = 3,
  encoder: str = 'backbone',
  action: str = 'action',
  projector: str = 'projector',
  target_projector: str = 'target_projector',
  weight_matrix: str = 'bilinear',
  reward: str = 'reward',
  discount: float = 0.99,
) -> Term:
  """What a state and the actions after it lead to: the state reached among all those reached, and the sum of rewards (TACO).

  Windows in which an episode ends before the last step are left out.

  Args:
    objective: (g: [b d], h: [b e], weight: [d e]) -> [b].
    horizon: number of actions, less than a window's steps.
    projector: g of the state joined with the codes of all actions.
    target_projector: h of the state reached.
    weight_matrix: network called without input.
    reward: network from the same as g to the sum of rewards; its squared error is added.
    discount: of the rewards.
  """

  def encode(nets, target, batch, keys):
    del target, keys
    z = over_time(nets[encoder], batch['observation'][:, jnp.array([0, horizon])])
    u = nets[action](batch['action'][:, :horizon])
    before = z[:, 0], u.reshape(len(u), -1)
    rewards = batch['reward'][:, :horizon] @ discount ** jnp.arange(horizon)
    return {
      'g': nets[projector](*before),
      'h': nets[target_projector](z[:, 1]),
      'error': (nets[reward](*before)[:, 0] - rewards) ** 2,
      'counts': alive(batch)[:, horizon],
    }

  def judge(nets, encoded, state, key, step):
    del key
    contrast = at(objective, step)(encoded['g'], encoded['h'], weight=nets[weight_matrix]())
    counts = encoded['counts'].astype(jnp.float32)
    mean = lambda x: jnp.sum(x * counts) / jnp.maximum(jnp.sum(counts), 1)
    return mean(contrast) + mean(encoded['error']), (state, {'reward_error': mean(encoded['error'])})

  return Term(stateless, encode, judge)


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
