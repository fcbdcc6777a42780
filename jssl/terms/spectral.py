"""Functions of states that change slowly along trajectories."""

import jax
import jax.numpy as jnp

from jssl.objectives.control import allo_errors
from jssl.parts.schedules import at
from jssl.types import Memory, Objective, Term, fold


def slow(*, objective: Objective, discount: float = 0.8, memory: Memory | None = None, encoder: str = 'backbone', head: str = 'head') -> Term:
  """u of a state and of one a geometric number of steps later; the batch's states in two halves estimate inner products.

  Args:
    objective: (start: [b d], end: [b d], first: [b/2 d], second: [b/2 d], **memory) -> scalar.
    discount: gamma; the steps ahead are 1 + n with chance (1 - gamma) gamma^n, cut at the end of the window.
    memory: dual variables, moved once an update.
    head: u, from the encoder's features.
  """

  def encode(nets, target, batch, keys):
    del target
    x = batch['observation']
    chances = discount ** jnp.arange(x.shape[1] - 1)
    ahead = 1 + jax.vmap(lambda key: jax.random.categorical(key, jnp.log(chances)))(fold(keys, 0))
    later = jax.vmap(lambda x, k: x[k])(x, ahead)
    u = lambda x: nets[head](nets[encoder](x).pooled)
    return {'start': u(x[:, 0]), 'end': u(later)}

  def init(key, encoded):
    return memory.init(key, encoded) if memory else {}

  def judge(nets, encoded, state, key, step):
    del nets, key
    given = encoded | {'first': encoded['start'][::2], 'second': encoded['start'][1::2]}
    loss = at(objective, step)(**given, **(memory.read(state) if memory else {}))
    return loss, (memory.write(state, given) if memory else state, {})

  return Term(init, encode, judge, lambda encoded, state, step: {'pairs': (encoded['start'], encoded['end'])})


def duals(*, rate: float = 0.01, barrier: float = 2.0, barrier_rate: float = 0.01, limit: float = 10.0) -> Memory:
  """Dual variables of `allo` and the weight of its squared errors, both raised once an update by gradient ascent.

  beta <- clip(beta + rate (e1 + e2)/2, +-limit),  b <- min(b + barrier_rate mean max(e1 e2, 0), limit)

  Args:
    rate: of the duals.
    barrier: b at the start.
    barrier_rate: of b.
    limit: of both.

  Reference: Gomez, Bowling, Machado 2024, arXiv:2310.10833, Algorithm 1.
  """

  def init(key, encoded):
    del key
    d = encoded['start'].shape[-1]
    return {'duals': jnp.zeros((d, d)), 'barrier': jnp.float32(barrier)}

  def write(state, encoded):
    errors, excess = allo_errors(encoded['first'], encoded['second'])
    return {
      'duals': jnp.clip(state['duals'] + rate * errors, -limit, limit),
      'barrier': jnp.minimum(state['barrier'] + barrier_rate * excess, limit),
    }

  return Memory(init, lambda state: dict(state), write)
