"""Passes over windows of trajectories.

Windows have the format of `envs.rollouts`: action t leads from observation t to observation t + 1, unless `done` t is set, where an episode
ended.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Call, Pass, Ref


def over_time(net, x: Array) -> Array:
  """Applies a network for single observations to [b t ...], with time folded into the batch: pooled features [b t d]."""
  return net(x.reshape(-1, *x.shape[2:])).pooled.reshape(*x.shape[:2], -1)


def part_of(nets, path: str):
  """A network by name, or a submodule of one: 'q.code'."""
  name, *parts = path.split('.')
  return functools.reduce(getattr, parts, nets[name])


def alive(batch: Batch) -> Array:
  """[b t] True where step t belongs to the episode in which the window began; always True for step 0."""
  ended = jnp.cumsum(batch['done'], 1)
  return jnp.concatenate([jnp.ones_like(ended[:, :1]), ended[:, :-1] == 0], 1).astype(bool)


def trajectory(
  *,
  encoder: str = 'backbone',
  observation: Ref = 'batch.observation',
  times: Sequence[int] | None = None,
  action: str | None = None,
  horizon: int | None = None,
  discount: float = 0.99,
) -> Pass:
  """Encodes the observations of a window independently, with the actions, returns and terminations.

  Args:
    encoder: network for one observation.
    observation: [b t ...], of the window or a view of it.
    times: the steps to encode; None for all.
    action: network that encodes actions, or a submodule of one: 'q.code'; None for raw actions.
    horizon: number of actions and rewards; None for all.
    discount: discount of the rewards.

  Outputs:
    states [b t d]; target [b t d], by the teacher without gradient, or by the trained network if there is no teacher; alive [b t] bool, True
    for steps of the episode in which the window began; actions [b h*d], concatenated codes; returns [b], the discounted sum of rewards; reached
    [b], 1 if the episode reaches step `horizon`, else 0.
  """

  def run(call: Call):
    batch, h, seen = call.batch, horizon, call.read(observation)
    some = lambda x: x if times is None else x[:, jnp.array(times)]
    found = {'alive': some(alive(batch))}
    if {'states', 'target'} & {*call.asked} and (('states' in call.asked) or not call.target):
      found['states'] = over_time(call.nets[encoder], some(seen))
    if 'target' in call.asked:
      other = call.target and jax.lax.stop_gradient(over_time(call.target[encoder], some(seen)))
      found['target'] = other if call.target else found['states']
    if 'actions' in call.asked:
      u = batch['action'][:, :h]
      u = part_of(call.nets, action)(u) if action else u
      found['actions'] = u.reshape(len(u), -1)
    if 'returns' in call.asked:
      rewards = batch['reward'][:, :h]
      found['returns'] = rewards @ discount ** jnp.arange(rewards.shape[1])
    if 'reached' in call.asked:
      found['reached'] = alive(batch)[:, h].astype(jnp.float32)
    return found

  return Pass(run, ('states', 'target', 'alive', 'actions', 'returns', 'reached'))


def latent_rollout(
  *,
  horizon: int = 5,
  encoder: str = 'backbone',
  target: str | None = None,
  action: str = 'action',
  transition: str = 'transition',
  heads: Sequence[str] = (),
  predictor: str | None = None,
) -> Pass:
  """Predicts each state of a window from the previous prediction and the action, starting from the first state.

  z_0 = f(o_0), z_k = h(z_k-1, psi(a_k-1)); predictor(heads(z_k)) is compared with heads'(f'(o_k)), k = 1 .. horizon, by the target networks, or
  by the trained ones if the method has no teacher. The objective applies stop-gradients.

  Args:
    horizon: number of steps, less than the length of a window.
    target: the network whose features are predicted, if other than `encoder`, for example raw pixels.
    heads: networks applied in order to both sides.
    predictor: a head for the predicted side only.

  Outputs:
    prediction [b k d], target [b k d], alive [b k] bool.
  """

  def run(call: Call):
    nets, other, batch = call.nets, call.target or call.nets, call.batch
    u = nets[action](batch['action'])
    z, ahead = nets[encoder](batch['observation'][:, 0]).pooled, []
    for k in range(horizon):
      z = nets[transition](z, u[:, k])
      ahead.append(z)
    prediction = jnp.stack(ahead, 1)
    reached = over_time((nets if target else other)[target or encoder], batch['observation'][:, 1 : horizon + 1])
    for head in heads:
      prediction, reached = nets[head](prediction), other[head](reached)
    prediction = nets[predictor](prediction) if predictor else prediction
    return {'prediction': prediction, 'target': reached, 'alive': alive(batch)[:, 1 : horizon + 1]}

  return Pass(run, ('prediction', 'target', 'alive'))


def q_values(
  *, horizon: int = 1, discount: float = 0.95, encoder: str = 'backbone', head: str = 'q', observation: Ref = 'batch.observation'
) -> Pass:
  """Q of the first state of a window, and its target: the rewards of `horizon` steps and Q of the state reached.

  Args:
    horizon: n, less than the length of a window; rewards are summed up to the end of the episode.
    discount: gamma.
    head: features -> Q of every action.
    observation: [b t ...], of the window or a view of it.

  Outputs:
    q_values [b a] of the first state; next_online [b a] and next_target [b a] of the state reached, by the trained and the target network;
    actions [b]; rewards [b], discounted and summed; discounts [b], 0 where the episode has ended.
  """

  def run(call: Call):
    batch, seen = call.batch, call.read(observation)
    value = lambda nets, t: nets[head](over_time(nets[encoder], seen[:, t]))
    q = value(call.nets, jnp.array([0, horizon]))
    counts = alive(batch)
    return {
      'q_values': q[:, 0],
      'next_online': q[:, 1],
      'next_target': value(call.target, jnp.array([horizon]))[:, 0],
      'actions': batch['action'][:, 0],
      'rewards': (batch['reward'] * counts)[:, :horizon] @ discount ** jnp.arange(horizon),
      'discounts': discount**horizon * counts[:, horizon],
    }

  return Pass(run, ('q_values', 'next_online', 'next_target', 'actions', 'rewards', 'discounts'))
