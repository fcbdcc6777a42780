"""Guards: steps whose loss or gradient is not finite, or is an outlier, do not change the state.

The guard is part of the step. On the device it inspects the loss and the gradient norm, and selects either the state before the step or the
state after it. The host learns of this when it reads the metrics, and need not wait for every step. Once a guard halts, it freezes the whole
state including the step number, so the host always finds the exact state before the failed step.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jssl.types import Array

WINDOW = 100  # window of the running mean and variance, in steps; spikes are only detected after that many steps


class Guard(NamedTuple):
  """When a step counts as bad, and how bad steps are handled.

  spike: a loss or gradient norm this many standard deviations above its running mean is bad; None: only non-finite values are bad. most: number
  of consecutive bad steps that are skipped; one more halts the run. returns: how often a halted run returns to its last checkpoint before it
  stops. collapse: number of consecutive health alarms that stop the run; None for no limit.
  """

  spike: float | None = None
  most: int = 0
  returns: int = 0
  collapse: int | None = None


def stop(*, spike: float | None = None, collapse: int | None = None) -> Guard:
  """Stops at the first bad step, with the state before it.

  Args:
    spike: standard deviations above its running mean at which a loss or gradient norm is bad; None: only values that are not finite are.
    collapse: number of consecutive health alarms that stop the run; None for no limit.
  """
  return Guard(spike, collapse=_least('collapse', collapse))


def skip(*, most: int = 10, spike: float | None = None, collapse: int | None = None) -> Guard:
  """Skips bad steps, and stops after more than `most` in a row.

  Args:
    most: number of consecutive bad steps that are skipped.
    spike: standard deviations above its running mean at which a loss or gradient norm is bad; None: only values that are not finite are.
    collapse: number of consecutive health alarms that stop the run; None for no limit.

  Reference: Kumar et al. 2025, arXiv:2504.02507, section 3, for the z-score of the gradient norm over running moments (ZClip scales such a
    gradient down; here the step is skipped).
  """
  return Guard(spike, _least('most', most), collapse=_least('collapse', collapse))


def roll_back(*, returns: int = 3, spike: float | None = None, collapse: int | None = None) -> Guard:
  """Returns to the last checkpoint without rewinding the data, at most `returns` times, then stops.

  Args:
    returns: how often the run returns.
    spike: standard deviations above its running mean at which a loss or gradient norm is bad; None: only values that are not finite are.
    collapse: number of consecutive health alarms that stop the run; None for no limit.

  Reference: Chowdhery et al. 2022, arXiv:2204.02311, section 5.1 (PaLM: restart about 100 steps before a spike and skip the batches that led to
    it).
  """
  return Guard(spike, returns=_least('returns', returns), collapse=_least('collapse', collapse))


def _least(name: str, value: int | None) -> int | None:
  if value is not None and value < 1:
    raise ValueError(f'{name} must be at least 1, not {value}')
  return value


def start() -> dict[str, Array]:
  """The initial state of a guard: running moments of [loss, gradient norm], and counts."""
  moments = {name: jnp.zeros(2) for name in ('mean', 'variance')}
  counts = {name: jnp.zeros((), jnp.int32) for name in ('seen', 'bad', 'skipped', 'returned')}
  return {**moments, **counts, 'last_bad': jnp.zeros(2), 'halted': jnp.zeros((), bool)}


def choose(guard: Guard, state: dict[str, Array], loss: Array, norm: Array, after: Any, before: Any) -> tuple[Any, dict[str, Array]]:
  """Selects `after` for a good step and `before` for a bad one. Also returns the new state of the guard.

  Bad steps do not enter the running moments. Their update rate is 1/n up to n = WINDOW, then 1/WINDOW.
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
