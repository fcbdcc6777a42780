"""Contrast of what a state and the actions after it lead to."""

import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.terms.trajectory import alive, over_time
from jssl.types import Objective, Term


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
