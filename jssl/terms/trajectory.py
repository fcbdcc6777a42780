"""Windows of trajectories: what actions lead to, told in the space of features.

Windows are as `data.rollout` makes them: action t leads from observation t to observation t + 1, unless `done` t is set
and an episode ended there.
"""

from collections.abc import Sequence

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
