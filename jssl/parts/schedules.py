"""Schedules: values that change with the step, such as learning rates, teacher momenta, temperatures and weights."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp

from jssl.types import Array

Duration = int | float | str  # 500 (steps), '5 epochs' or '10%'


class Schedule(NamedTuple):
  """A value that depends on the step. Any number in a config may be a schedule."""

  at: Callable[[Array], Array]

  def __call__(self, step):
    return self.at(step)


def duration(value: Duration, *, steps: int, epoch: int) -> float:
  """Converts a duration to steps: 500, '500 steps', '5 epochs' (of `epoch` steps each) or '10%' (of all `steps`)."""
  if isinstance(value, int | float) and not isinstance(value, bool):
    return value
  match = re.fullmatch(r'\s*([0-9.]+)\s*(%|epochs?|steps?)\s*', str(value))
  if not match:
    raise ValueError(f"a duration is a number of steps, '5 epochs' or '10%', not {value!r}")
  number, unit = float(match[1]), match[2]
  return number * (steps / 100 if unit == '%' else epoch if unit.startswith('epoch') else 1)


def cosine(*, peak: float, end: float = 0.0, warmup: Duration = 0, start: float = 0.0, steps: int, epoch: int) -> Schedule:
  """Linear warm-up from `start` to `peak` over `warmup`, then cosine decay to `end` at the last step (Loshchilov & Hutter 2017).

  Args:
    peak: value after the warm-up.
    end: value at the last step.
    warmup: length of the warm-up, as a number of steps, '5 epochs' or '10%'.
    start: value at the beginning of the warm-up.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.
  """
  warm = duration(warmup, steps=steps, epoch=epoch)

  def at(step):
    t = jnp.clip((step - warm) / max(steps - warm, 1), 0, 1)
    return _warmed(step, warm, start, peak, end + (peak - end) * (1 + jnp.cos(jnp.pi * t)) / 2)

  return Schedule(at)


def stretched_cosine(
  *, peak: float, end: float = 0.0, warmup: Duration = 0, start: float = 0.0, over: Duration = '125%', steps: int, epoch: int
) -> Schedule:
  """As `cosine`, with `end` reached after the duration `over`, which may be longer than the run; for a weight decay that rises, end > peak.

  Reference: Bardes et al. 2024, arXiv:2404.08471, appendix C, and `ipe_scale` in the official code of I-JEPA and V-JEPA (1.25).
  """
  warmup = duration(warmup, steps=steps, epoch=epoch)
  return cosine(peak=peak, end=end, warmup=warmup, start=start, steps=duration(over, steps=steps, epoch=epoch), epoch=epoch)


def linear_decay(*, peak: float, end: float = 0.0, warmup: Duration = 0, start: float = 0.0, steps: int, epoch: int) -> Schedule:
  """Linear warm-up from `start` to `peak` over `warmup`, then linear decay to `end` at the last step, as for BERT (arXiv:1810.04805, A.2).

  Args:
    peak: value after the warm-up.
    end: value at the last step.
    warmup: length of the warm-up, as a number of steps, '5 epochs' or '10%'.
    start: value at the beginning of the warm-up.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.
  """
  warm = duration(warmup, steps=steps, epoch=epoch)

  def at(step):
    t = jnp.clip((step - warm) / max(steps - warm, 1), 0, 1)
    return _warmed(step, warm, start, peak, peak + (end - peak) * t)

  return Schedule(at)


def rsqrt(
  *,
  peak: float,
  timescale: Duration = 10_000,
  warmup: Duration = 0,
  start: float = 0.0,
  cooldown: Duration = 0,
  steps: int,
  epoch: int,
) -> Schedule:
  """Linear warm-up to `peak`, then peak / sqrt(1 + t / timescale) t steps later, multiplied by a linear decay to 0 over the last `cooldown`.

  Args:
    peak: value after the warm-up.
    timescale: a duration, such as 10_000 steps, '5 epochs' or '10%'.
    warmup: length of the warm-up.
    start: value at the beginning of the warm-up.
    cooldown: length of the decay to 0 at the end.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.

  Reference: Zhai et al., CVPR 2022, arXiv:2106.04560, section 3.5; `create_learning_rate_schedule` in `utils.py` of big_vision.
  """
  warm, scale, cool = (duration(x, steps=steps, epoch=epoch) for x in (warmup, timescale, cooldown))
  if scale <= 0:
    raise ValueError(f'timescale is {timescale!r}; give a duration above 0')

  def at(step):
    risen = _warmed(step, warm, start, peak, peak / jnp.sqrt(1 + jnp.maximum(step - warm, 0) / scale))
    return risen * jnp.clip((steps - step) / cool, 0, 1) if cool else risen

  return Schedule(at)


def hold(*, peak: float, cooldown: Duration, end: float, warmup: Duration = 0, start: float = 0.0, steps: int, epoch: int) -> Schedule:
  """Linear warm-up from `start` to `peak`, which holds until the last `cooldown`; in that it falls exponentially to `end`.

  Args:
    peak: value after the warm-up.
    cooldown: length of the fall at the end, as a number of steps, '5 epochs' or '10%'.
    end: value at the last step.
    warmup: length of the warm-up.
    start: value at the beginning of the warm-up.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.

  Reference: Park et al. (SpecAugment), Interspeech 2019, arXiv:1904.08779, section 4.2; tri_stage_lr_scheduler.py in fairseq.
  """
  warm, cool = (duration(x, steps=steps, epoch=epoch) for x in (warmup, cooldown))
  if not (cool > 0 and 0 < end <= peak):
    raise ValueError(f'peak {peak} cannot fall to {end} in {cooldown!r}; give 0 < end <= peak, and a duration above 0')

  def at(step):
    return _warmed(step, warm, start, peak, peak * (end / peak) ** jnp.clip((step - steps + cool) / cool, 0, 1))

  return Schedule(at)


def steps(
  *, peak: float, milestones: Sequence[Duration], gamma: float = 0.1, warmup: Duration = 0, start: float = 0.0, steps: int, epoch: int
) -> Schedule:
  """Linear warm-up from `start` to `peak` over `warmup`, then `peak`, multiplied by `gamma` at each of the milestones.

  Args:
    peak: value after the warm-up.
    milestones: durations from the beginning of the phase, such as ('60%', '80%').
    gamma: factor at each milestone.
    warmup: length of the warm-up.
    start: value at the beginning of the warm-up.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.

  Reference: He et al., CVPR 2016, arXiv:1512.03385, section 3.4; `torch.optim.lr_scheduler.MultiStepLR`.
  """
  warm, *passed = (duration(x, steps=steps, epoch=epoch) for x in (warmup, *milestones))

  def at(step):
    return _warmed(step, warm, start, peak, peak * gamma ** sum(jnp.where(step >= milestone, 1.0, 0.0) for milestone in passed))

  return Schedule(at)


def _warmed(step: Array, warm: float, start: float, peak: float, after: Array | float) -> Array:
  """Linear from `start` to `peak`, which the last of the `warm` steps has, and then `after`."""
  return jnp.where(step < warm, start + (peak - start) * (step + 1) / max(warm, 1), after)


def linear(*, start: float, end: float, over: Duration = '100%', steps: int, epoch: int) -> Schedule:
  """Linear from `start` to `end` over the duration `over`, then constant.

  Args:
    start: first value.
    end: last value.
    over: a number of steps, '5 epochs' or '10%'.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.
  """
  length = duration(over, steps=steps, epoch=epoch)
  return Schedule(lambda step: start + (end - start) * jnp.clip(step / max(length, 1), 0, 1))


def rise(*, start: float, end: float = 1.0, steps: int, epoch: int) -> Schedule:
  """Cosine schedule from `start` to `end`, for a teacher's momentum: end - (end - start)(cos(pi step/steps) + 1)/2.

  Args:
    start: first value.
    end: value at the last step.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.

  Reference: Grill et al. 2020, arXiv:2006.07733, section 3.2.
  """
  del epoch
  return Schedule(lambda step: end - (end - start) * (jnp.cos(jnp.pi * step / steps) + 1) / 2)


def constant(*, value: float, warmup: Duration = 0, start: float = 0.0, steps: int = 0, epoch: int = 0) -> Schedule:
  """A constant value, after linear warm-up from `start` over `warmup`.

  Args:
    value: the constant.
    warmup: length of the warm-up, as a number of steps, '5 epochs' or '10%'.
    start: value at the beginning of the warm-up.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.
  """
  warm = duration(warmup, steps=steps, epoch=epoch)
  return Schedule(lambda step: _warmed(step, warm, start, value, value) if warm else jnp.float32(value))


def switch(*, before: float, after: float, at: Duration, steps: int, epoch: int) -> Schedule:
  """`before`, then `after` from step `at` on, for a loss that starts or ends within a phase.

  Args:
    before: first value.
    after: second value.
    at: when it changes: a number of steps, '5 epochs' or '10%'.
    steps, epoch: length of the phase and of an epoch, in steps; filled in.
  """
  start = duration(at, steps=steps, epoch=epoch)
  return Schedule(lambda step: jnp.where(step < start, before, after))


def value_at(value: Any, step: Array) -> Any:
  """The value of `value` at `step`; a plain number is returned unchanged."""
  return value(step) if isinstance(value, Schedule) else value


def at(function: Callable, step: Array) -> Callable:
  """`function` with all schedules in its bound keywords, nested ones included, replaced by their values at `step`."""
  if not isinstance(function, partial):
    return function
  options = {name: at(v, step) if isinstance(v, partial) else value_at(v, step) for name, v in function.keywords.items()}
  scheduled = {name: v for name, v in options.items() if v is not function.keywords[name]}
  return partial(function, **scheduled) if scheduled else function
