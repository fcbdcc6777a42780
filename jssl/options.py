"""Resolves `dict(name=..., **options)` to the named function, with its options bound and checked by name and type.

The type of an option determines the table in which its name is looked up (`Objective`, `View`, `Mask`, ...); for other types, a name refers to
a schedule.
"""

import difflib
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from jssl import tables
from jssl.errors import ConfigError, DataError
from jssl.parts.schedules import Schedule
from jssl.types import (
  Column,
  Data,
  Estimator,
  Mask,
  Negatives,
  Noise,
  Objective,
  Optimizer,
  Ref,
  Sampler,
  StepMask,
  TokenMask,
  Transform,
  View,
)  # fmt: skip

# type of an option -> table, and whether the entry is a factory, called once its options are known
KINDS = {
  Objective: ('objectives', False),
  View: ('views', False),
  Sampler: ('samplers', False),
  Mask: ('masks', False),
  TokenMask: ('token_masks', False),
  StepMask: ('step_masks', False),
  Noise: ('noise', False),
  Negatives: ('negatives', False),
  Estimator: ('estimators', False),
  Optimizer: ('optimizers', False),
  Transform: ('transforms', True),
  Data: ('data', True),
}


def option(place: str, spec: Any, table: str, clock: Mapping[str, int] | None = None) -> partial:
  """The table entry for `dict(name=..., **options)` with its options bound, each checked by name and type."""
  if isinstance(spec, str):
    spec = dict(name=spec)
  if not isinstance(spec, Mapping) or 'name' not in spec:
    raise ConfigError(f'{place} must be dict(name=..., ...), not {shown(spec)}')
  function = lookup(table, spec['name'], place)
  inner = signed(function)
  with naming(f'{place} ({spec["name"]})'):  # annotations are evaluated here
    parameters, hints = inspect.signature(inner).parameters, typing.get_type_hints(inner)
  free = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
  options = {}
  for key, value in spec.items():
    if key == 'name':
      continue
    known = [n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY and n not in ('rngs', 'steps', 'epoch', 'key')]
    if key in parameters and parameters[key].default is not inspect.Parameter.empty and key not in known and ':' in spec['name']:
      raise ConfigError(f'{place}.{key}: options stand behind a * in the signature of {spec["name"]}, def {inner.__name__}(..., *, {key}=...)')
    if key not in known and not free:
      raise ConfigError(f'{place} ({spec["name"]}) has no option {key!r}{closest(key, known)}')
    options[key] = resolved(f'{place}.{key}', hints.get(key, Any), value, clock)
    if table == 'schedules' and isinstance(options[key], Schedule):
      raise ConfigError(f'{place}.{key} is a schedule, and an option of a schedule must be a number')
    if not accepts(hints.get(key, Any), options[key]):
      raise ConfigError(f'{place}.{key} must be {_readable(hints[key])}, not {shown(value)}')
    options[key] = in_range(f'{place}.{key}', hints.get(key, Any), options[key])
  if table in ('schedules', 'teachers', 'memories'):  # which may be tied to the length of a phase
    options |= {name: x for name, x in (clock or {}).items() if name in parameters or free}
  return partial(function, **options)


def in_range(place: str, hint: Any, value: Any) -> Any:
  """Checks a number, and converts integers to floats if required.

  Raises:
    ConfigError: if it is not finite, or does not fit into 32 bits.
  """
  number = isinstance(value, int | float) and not isinstance(value, bool)
  if number and not (math.isfinite(value) and (isinstance(value, float) or abs(value) < 2**31)):
    raise ConfigError(f'{place} is {value!r}: expected a finite number, and a whole one within 32 bits')
  asked = {hint, *typing.get_args(hint)}
  return float(value) if number and float in asked and int not in asked else value


def signed(entry: Callable) -> Callable:
  """The function whose signature defines the options of a table entry."""
  inner = getattr(entry, 'judge', entry)
  inner = inner.func if isinstance(inner, partial) else inner
  return inner.__init__ if inspect.isclass(inner) else inner


def with_facts(value: Any, columns: Mapping[str, Column]) -> Any:
  """A config value with 'data.COLUMN.FACT' replaced by the property of the column: 'data.label.size' is the number of classes.

  Raises:
    ConfigError: for an unknown column or property, or one without a value.
  """
  if isinstance(value, Mapping):
    return {key: with_facts(v, columns) for key, v in value.items()}
  if isinstance(value, tuple | list):
    return type(value)(with_facts(v, columns) for v in value)
  if not isinstance(value, str) or not (found := list(_FACT.finditer(value))):
    return value

  def fact(match: re.Match) -> Any:
    name, of = match.groups()
    if name not in columns:
      raise ConfigError(f'{value!r}: the data have no column {name!r}{closest(name, columns)}')
    if of not in FACTS:
      raise ConfigError(f'{value!r}: a column has no {of!r}{closest(of, FACTS)}')
    if (known := getattr(columns[name], of)) is None:
      raise ConfigError(f'{value!r}: the {of} of the column {name!r} is not known; give a number in its place')
    return known

  return fact(found[0]) if found[0].group() == value else _FACT.sub(lambda match: str(fact(match)), value)


FACTS = ('size', 'pad', 'mask', 'first', 'start', 'length', 'width')
_FACT = re.compile(r'\bdata\.(\w+)\.(\w+)')


def mentions(hint: Any) -> bool:
  """Whether an option with this annotation is a reference."""
  return hint is Ref or any(mentions(h) for h in typing.get_args(hint))


def kind_of(hint: Any) -> tuple[str, bool] | None:
  """The table for an annotation, and whether its entries are factories."""
  if isinstance(hint, typing.Hashable) and hint in KINDS:
    return KINDS[hint]
  return next(filter(None, map(kind_of, typing.get_args(hint))), None)


def resolved(place: str, hint: Any, value: Any, clock: Mapping[str, int] | None) -> Any:
  """A config value with every nested `dict(name=...)` resolved."""
  kind = kind_of(hint)
  if isinstance(value, Mapping) and 'name' in value and not mentions(hint):
    table, factory = kind or ('schedules', True)
    if table == 'schedules' and clock is None:
      raise ConfigError(f'{place} cannot change with the step; give a plain value, not {shown(dict(value))}')
    bound = option(place, value, table, clock)
    return call(bound) if factory else bound
  if kind and isinstance(value, tuple | list) and value and all(isinstance(v, Mapping) for v in value):
    return tuple(resolved(f'{place}[{i}]', hint, v, clock) for i, v in enumerate(value))
  if kind and value is not None and not isinstance(value, Mapping):
    raise ConfigError(f'{place} must be dict(name=..., ...), not {shown(value)}')
  if isinstance(value, Mapping):
    return {k: resolved(f'{place}.{k}', hint, v, clock) for k, v in value.items()}
  return value


def lookup(table: str, name: Any, place: str) -> Callable:
  """A table entry by name, or a user function, 'package.module:name'."""
  entries = tables.TABLES[table]
  odd = {'memories': 'memory', 'losses': 'loss', 'passes': 'pass', 'refreshes': 'refresh', 'evaluators': 'protocol'}
  kind = odd.get(table, table.removesuffix('s'))
  if not isinstance(name, str) or name not in entries:
    before = tables.RENAMED.get((table, name)) if isinstance(name, str) else None
    hint = f'; it is called {before!r} now' if before else closest(name, entries)
    raise ConfigError(f'{place}: no {kind} is called {name!r}{hint}')
  try:
    entry = entries[name]
  except Exception as error:  # importing a user module may raise errors of any type
    from jssl import modules

    if ':' not in name and not isinstance(error, ImportError):
      raise
    raise ConfigError(f'{place}: {name!r} cannot be used as a {kind}: {modules.said(error) if ":" in name else error}') from error
  if not callable(getattr(entry, 'judge', entry)):
    raise ConfigError(f'{place}: {name!r} is of type {type(entry).__name__}; expected a function or a class')
  return entry


def call(bound: partial) -> Any:
  """Calls a bound factory, with readable errors for missing options."""
  try:
    inspect.signature(bound.func).bind(*bound.args, **bound.keywords)
  except TypeError as error:
    raise ConfigError(f'{bound.func.__name__}: {error}') from None
  with naming(bound.func.__name__):
    return bound()


def closest(name: Any, known: typing.Iterable[Any]) -> str:
  known = sorted(map(str, known))
  near = difflib.get_close_matches(str(name), known, 3, 0.4)
  more = f' and {len(known) - 20} more' if len(known) > 20 else ''
  return f'; did you mean {" or ".join(near)}?' if near else f'; there are {", ".join(known[:20]) or "none"}{more}'


def mapping(place: str, value: Any) -> dict[str, Any]:
  if not isinstance(value, Mapping):
    raise ConfigError(f'{place} must be dict(name=..., ...), not {shown(value)}')
  return dict(value)


def shown(value: Any, most: int = 200) -> str:
  """A value in a message: a long one, such as a whole config in the place of an option, is cut."""
  text = repr(value)
  return text if len(text) <= most else f'{text[:most]} ...'


def natural(c: Mapping[str, Any], key: str, least: int = 1) -> int:
  if not isinstance(c[key], int) or isinstance(c[key], bool) or c[key] < least:
    raise ConfigError(f'{key} must be a whole number of at least {least}, not {shown(c[key])}')
  return c[key]


def accepts(hint: Any, value: Any) -> bool:
  """Whether a config value fits a parameter's annotation; unknown annotations accept anything."""
  if hint is float:
    return isinstance(value, int | float | Schedule) and not isinstance(value, bool)
  if hint is Ref:
    return isinstance(value, str)
  if isinstance(hint, typing.NewType):
    return callable(value)
  if hint in (int, str, bool):
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
  if hint is None or hint is type(None):
    return value is None
  origin = typing.get_origin(hint)
  if origin in (typing.Union, types.UnionType):
    return any(accepts(h, value) for h in typing.get_args(hint))
  if origin in (tuple, list, Sequence):
    return isinstance(value, tuple | list)
  if origin in (dict, Mapping):
    return isinstance(value, Mapping)
  if hint is Callable or origin is Callable:
    return callable(value)
  return True


def _readable(hint: Any) -> str:
  return hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else str(hint).replace('typing.', '')


class naming:
  """Adds the part of the config to errors that are raised when it is built or traced."""

  def __init__(self, place: str):
    self.place = place

  def __enter__(self):
    return self

  def __exit__(self, kind, error, trace):
    # Nothing is computed here, so any error of a factory is caused by its options.
    if isinstance(error, ConfigError | DataError) or not isinstance(error, Exception):
      return False
    what = f'nothing is called {error}' if isinstance(error, KeyError) else ' '.join(str(error).split())[:400] or type(error).__name__
    raise ConfigError(f'{self.place}: {what}') from error
