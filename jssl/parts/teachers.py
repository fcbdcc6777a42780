"""Teachers: update rules of target networks, as functions (teacher, student, step) -> teacher."""

import jax
import optax

from jssl.parts.schedules import Duration, Schedule, duration, value_at
from jssl.types import Teacher


def ema(*, decay: float | Schedule) -> Teacher:
  """Exponential moving average: teacher <- decay teacher + (1 - decay) student, once per update; decay may be a schedule.

  Reference: He et al. 2020 (MoCo), arXiv:1911.05722, Eq. 2.
  """
  return lambda teacher, student, step: optax.incremental_update(student, teacher, 1 - value_at(decay, step))


def frozen() -> Teacher:
  """The teacher is not updated after initialisation or loading."""
  return lambda teacher, student, step: teacher


def periodic(*, every: Duration, steps: int, epoch: int) -> Teacher:
  """Copies the student at fixed intervals, every 200 steps, '2 epochs' or '10%' of the phase, as in deep Q-learning."""
  updates = max(1, round(duration(every, steps=steps, epoch=epoch)))
  return lambda teacher, student, step: optax.periodic_update(student, teacher, step + 1, updates)


def copy() -> Teacher:
  """The student of the previous step, as in self-predictive learning without momentum."""
  return lambda teacher, student, step: jax.tree.map(lambda _, s: s, teacher, student)
