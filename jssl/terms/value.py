"""The value of actions, learned by temporal differences."""

import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.terms.trajectory import alive, over_time
from jssl.types import Objective, Term


def q_learning(*, objective: Objective, horizon: int = 1, discount: float = 0.95, encoder: str = 'backbone', head: str = 'q') -> Term:
  """Q of the first state of a window against the rewards of `horizon` steps and the target network's Q of the state then.

  Args:
    objective: (q [b a], next_online [b a], next_target [b a], actions [b], rewards [b], discounts [b]) -> [b].
    horizon: n, less than a window's; rewards are summed up to the end of the episode.
    discount: gamma.
    head: features -> Q of every action.
  """

  def encode(nets, target, batch, keys):
    del keys
    value = lambda nets, t: nets[head](over_time(nets[encoder], batch['observation'][:, t]))
    q = value(nets, jnp.array([0, horizon]))
    counts = alive(batch)
    return {
      'q_values': q[:, 0],
      'next_online': q[:, 1],
      'next_target': value(target, jnp.array([horizon]))[:, 0],
      'actions': batch['action'][:, 0],
      'rewards': (batch['reward'] * counts)[:, :horizon] @ discount ** jnp.arange(horizon),
      'discounts': discount**horizon * counts[:, horizon],
    }

  def judge(nets, encoded, state, key, step):
    del nets, key
    return jnp.mean(at(objective, step)(**encoded)), (state, {'q': jnp.mean(encoded['q_values'])})

  return Term(stateless, encode, judge)
