"""The optimiser of a config: its options are checked, durations are converted to steps, and the learning rate is scaled with the batch."""

import math
import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jssl.errors import ConfigError
from jssl.options import call, closest, mapping, naming, option, shown
from jssl.parts.groups import by_name, matches
from jssl.parts.schedules import Schedule, duration
from jssl.types import Params

PART = ('of', 'rate', 'decay', 'until')
BELOW_ONE = ('b1', 'b2', 'momentum')


def optimizer(
  spec: Mapping[str, Any], clock: Mapping[str, int], batch_size: int, shapes: Callable[[], Params], trained: Callable[[Params], Params]
) -> tuple[optax.GradientTransformation, Callable]:
  """The optimiser of a config, and its learning rate as a function of the step.

  Args:
    spec: dict(name=..., learning_rate=..., **options), and `per`, the batch size that the learning rate is given for: the rate, with all values
      of its schedule, is multiplied by batch_size / per (Goyal et al. 2017, arXiv:1706.02677, section 2.1).
    clock: steps of the phase or turn, and of an epoch.
    batch_size: examples in a batch.
    shapes: gives network -> nested dicts of the shapes of its parameters; called if an option depends on them.
    trained: selects the parameters that the optimiser updates.

  Raises:
    ConfigError: for an unknown option, a value of the wrong type or range, or a part that names no parameter.
  """
  spec = mapping('optimizer', spec)
  per = spec.pop('per', None)
  if spec.get('parts'):
    spec['parts'] = _parts(spec['parts'], clock, shapes())
  bound = option('optimizer', spec, 'optimizers', clock)
  rate = bound.keywords.get('learning_rate')
  if not isinstance(rate, int | float | Schedule | None):
    raise ConfigError(f'optimizer.learning_rate must be a number or a schedule, not {shown(rate)}')
  if ':' not in spec['name']:
    _check(bound, clock['steps'])
  if per is not None:
    if not _number(per) or per <= 0:
      raise ConfigError(f'optimizer.per must be the batch size that the learning rate is for, a number above 0, not {shown(per)}')
    rate = _times(batch_size / per, rate)
    bound = partial(bound, learning_rate=rate)
  with naming('optimizer'):
    found = call(bound)
    if spec.get('layer_decay') or spec.get('parts'):
      jax.eval_shape(found.init, trained(shapes()))
  return found, rate if isinstance(rate, Schedule) else lambda step: jnp.float32(rate or 0.0)


def _times(factor: float, rate: float | Schedule) -> float | Schedule:
  return Schedule(lambda step: factor * rate(step)) if isinstance(rate, Schedule) else factor * (rate or 0.0)


def _parts(parts: Any, clock: Mapping[str, int], shapes: Params) -> tuple[dict[str, Any], ...]:
  """The option `parts`, checked, with the patterns of `of` as a tuple and `until` in steps."""
  if not isinstance(parts, tuple | list):
    raise ConfigError(f"optimizer.parts must be (dict(of='backbone.embed', rate=0.1), ...), not {shown(parts)}")
  names = jax.tree.leaves(by_name(lambda name, _: name, shapes))
  paths = {'.'.join(keys[:i]) for keys in (name.split('.') for name in names) for i in range(1, len(keys) + 1)}
  found = []
  for i, part in enumerate(parts):
    place = f'optimizer.parts[{i}]'
    if not isinstance(part, Mapping) or 'of' not in part or len(part) < 2:
      raise ConfigError(f"{place} must be dict(of='NETWORK.path', ...) with at least one of {list(PART[1:])}, not {shown(part)}")
    if wrong := [key for key in part if key not in PART]:
      raise ConfigError(f'{place} has no option {wrong[0]!r}{closest(wrong[0], PART)}')
    of = (part['of'],) if isinstance(part['of'], str) else part['of']
    if not isinstance(of, tuple | list) or not of or not all(isinstance(pattern, str) for pattern in of):
      raise ConfigError(f"{place}.of must name parameters, ('backbone.embed', '*.bias'), not {shown(part['of'])}")
    if wrong := [pattern for pattern in of if not matches(pattern, names)]:
      raise ConfigError(f'{place}.of: {wrong[0]!r} names no parameter{closest(wrong[0], sorted(paths))}')
    for key in ('rate', 'decay'):
      if key in part and (not _number(part[key]) or part[key] < 0):
        raise ConfigError(f'{place}.{key} must be a factor of at least 0, not {shown(part[key])}')
    with naming(f'{place}.until'):
      until = {'until': duration(part['until'], **clock)} if 'until' in part else {}
    found.append({**part, 'of': tuple(of), **until})
  return tuple(found)


def _check(bound: partial, steps: int) -> None:
  """Checks that numbers are in their range, that schedules are where they may be, and their first, middle and last values."""
  hints = typing.get_type_hints(bound.func)
  for name, value in bound.keywords.items():
    place = f'optimizer.{name}'
    if isinstance(value, Schedule) and name != 'learning_rate' and Schedule not in typing.get_args(hints.get(name)):
      raise ConfigError(f'{place} cannot change with the step; give a number')
    at = sorted({0, steps // 2, max(steps - 1, 0)})
    with naming(place):  # such as a schedule whose peak is a schedule
      seen = [(step, _value_at(value, step)) for step in at] if isinstance(value, Schedule) else [(None, value)]
    for step, x in seen:
      when = '' if step is None else f' at step {step}'
      if _number(x) and not 0 <= x < (1 if name in BELOW_ONE else math.inf):
        raise ConfigError(f'{place} is {x:g}{when}: give a number of at least 0{" and below 1" if name in BELOW_ONE else ""}')
  if (decay := bound.keywords.get('layer_decay')) is not None and not 0 < decay <= 1:
    raise ConfigError(f'optimizer.layer_decay is {decay}: give a factor above 0 and at most 1, such as 0.75')
  dtype = bound.keywords.get('mu_dtype')
  if dtype is not None and dtype not in ('float32', 'bfloat16', 'float16'):
    raise ConfigError(f"optimizer.mu_dtype is {dtype!r}: choose 'bfloat16', 'float16' or 'float32'")


def _value_at(value: Schedule, step: int) -> float:
  with jax.ensure_compile_time_eval():  # a plan may be made within a trace
    return float(value(jnp.int32(step)))


def _number(x: Any) -> bool:
  return isinstance(x, int | float) and not isinstance(x, bool)
