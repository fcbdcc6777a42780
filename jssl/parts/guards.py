"""Guards: a step whose loss or gradient is not finite, or an outlier, does not change the state.

The guard is part of the step. It looks at the loss and the norm of the gradient on the device, and chooses there between
the state before the step and the state after it, so the host learns of it when it reads the figures, and need not wait
for every step. Once a guard has had enough it holds everything still, step number included: what the host then finds
is the exact state before the step that went wrong, however much later it looks.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jssl.types import Array

WINDOW = 100  # steps over which the running mean and variance reach, and before which nothing is called a spike


class Guard(NamedTuple):
  """When a step counts as bad, and what follows.

  spike: a loss or gradient norm this many standard deviations above its running mean is bad; None for only what is not
    finite.
  most: bad steps in a row that are skipped; one more halts the run.
  returns: how often a halted run goes back to its last checkpoint before it stops for good.
  collapse: alarms of the health panel in a row that stop the run; None for never.
  """

  spike: float | None = None
  most: int = 0
  returns: int = 0
  collapse: int | None = None


def stop(*, spike: float | None = None, collapse: int | None = None) -> Guard:
  """Stops at the first bad step, with the state before it."""
  return Guard(spike, collapse=_least('collapse', collapse))


def skip(*, most: int = 10, spike: float | None = None, collapse: int | None = None) -> Guard:
  """Leaves out bad steps, and stops after more than `most` in a row.

  Reference: Kumar et al. 2025, arXiv:2504.02507, section 3, for the z-score of the gradient norm over running moments
  (ZClip scales such a gradient down; here the step is left out).
  """
  return Guard(spike, _least('most', most), collapse=_least('collapse', collapse))


def roll_back(*, returns: int = 3, spike: float | None = None, collapse: int | None = None) -> Guard:
  """Goes back to the last checkpoint, but not back in the data: `returns` times, then stops.

  Reference: Chowdhery et al. 2022, arXiv:2204.02311, section 5.1 (PaLM: restart about 100 steps before a spike and pass
  over the batches that led to it).
  """
  return Guard(spike, returns=_least('returns', returns), collapse=_least('collapse', collapse))


def _least(name: str, value: int | None) -> int | None:
  if value is not None and value < 1:
    raise ValueError(f'{name} must be at least 1, not {value}')
  return value


def start() -> dict[str, Array]:
  """What a guard knows before the first step: running moments of [loss, gradient norm], and counts."""
  moments = {name: jnp.zeros(2) for name in ('mean', 'variance')}
  counts = {name: jnp.zeros((), jnp.int32) for name in ('seen', 'bad', 'skipped', 'returned')}
  return {**moments, **counts, 'last_bad': jnp.zeros(2), 'halted': jnp.zeros((), bool)}


def choose(guard: Guard, state: dict[str, Array], loss: Array, norm: Array, after: Any, before: Any) -> tuple[Any, dict[str, Array]]:
  """`after` where the step was good and `before` where it was bad, and what the guard knows then.

  A bad step does not count for the running moments; mean and variance move by 1/n up to n = WINDOW, then by 1/WINDOW.
  """
  x = jnp.stack([loss, norm]).astype(jnp.float32)
  good = jnp.all(jnp.isfinite(x))
  if guard.spike is not None:
    limit = state['mean'] + guard.spike * jnp.sqrt(state['variance'])
    good &= jnp.all(x <= limit) | (state['seen'] < WINDOW)
  bad = jnp.where(good, 0, state['bad'] + 1)
  still = state['halted'] | (bad > guard.most)
  take = good & ~still
  rate = 1 / jnp.minimum(state['seen'] + 1, WINDOW)
  away = jnp.where(take, x - state['mean'], 0)
  moved = {
    'mean': state['mean'] + rate * away,
    'variance': jnp.where(take, (1 - rate) * (state['variance'] + rate * away**2), state['variance']),
    'seen': state['seen'] + take,
    'bad': jnp.where(state['halted'], state['bad'], bad),
    'skipped': state['skipped'] + (~good & ~still),
    'returned': state['returned'],
    'last_bad': jnp.where(good | state['halted'], state['last_bad'], x),
    'halted': still,
  }
  return jax.tree.map(lambda a, b: jnp.where(take, a, b), after, before), moved
