"""Teachers: how a target network follows the student, as functions (teacher, student, step) -> teacher."""

import jax
import optax

from jssl.parts.schedules import Duration, Schedule, duration, value_at
from jssl.types import Teacher


def ema(*, decay: float | Schedule) -> Teacher:
  """teacher <- decay teacher + (1 - decay) student, once an update; decay may rise with the step.

  Reference: He et al. 2020 (MoCo), arXiv:1911.05722, Eq. 2.
  """
  return lambda teacher, student, step: optax.incremental_update(student, teacher, 1 - value_at(decay, step))


def frozen() -> Teacher:
  """The teacher stays as it was loaded or initialised."""
  return lambda teacher, student, step: teacher


def periodic(*, every: Duration, steps: int, epoch: int) -> Teacher:
  """A copy of the student every so often, 200, '2 epochs' or '10%' of the phase, as in deep Q-learning."""
  updates = max(1, round(duration(every, steps=steps, epoch=epoch)))
  return lambda teacher, student, step: optax.periodic_update(student, teacher, step + 1, updates)


def copy() -> Teacher:
  """The student of the step before, as in self-predictive learning without momentum."""
  return lambda teacher, student, step: jax.tree.map(lambda _, s: s, teacher, student)
