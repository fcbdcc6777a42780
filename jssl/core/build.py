"""From a config to a method: the only reader of configs.

Every `dict(name=..., **options)` becomes the table's entry of that name with the options bound. Which table is told by
the keyword that holds it (`objective`, `view`, `memory`, ...); under any other keyword it is a schedule.
"""

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from jssl import tables
from jssl.core.method import make_method
from jssl.core.nets import network
from jssl.parts.schedules import Schedule
from jssl.types import Batch, Data, Method, Transform

# keyword in a config -> table, and whether the entry is a factory, called as soon as its options are known
KINDS = {
  'objective': ('objectives', False),
  'assign': ('assignments', False),
  'view': ('views', False),
  'mask': ('views', False),
  'inputs': ('views', False),
  'memory': ('memories', True),
  'teacher': ('teachers', True),
  'transform': ('transforms', True),
}
DEFAULTS = dict(
  epochs=None, steps=None, seed=0, name='', number=None, heads={}, view=None, inputs=None, teacher=None, represent={}, micro_batches=1,
  mesh={}, rules='replicated', log_every=10, checkpoint_every='20%', health_every='10%', claim=None, kind='method',
  evaluators=dict(knn=dict(name='knn'), linear=dict(name='linear')), transform=None, experiment=None,
)  # fmt: skip
REQUIRED = ('backbone', 'data', 'batch_size', 'terms', 'optimizer')


class ConfigError(ValueError):
  """A config that cannot be built: what was given, what was expected, what to do."""


class Plan(NamedTuple):
  """A config, built: what the loop runs."""

  config: dict[str, Any]
  method: Method
  data: Data
  optimizer: optax.GradientTransformation
  learning_rate: Callable  # step -> learning rate, for the log
  batch: Batch  # shapes of one global batch
  steps: int
  epoch: int  # steps in an epoch
  evaluators: Mapping[str, Callable]  # label -> (subject, key) -> figures
  transform: Transform | None  # fitted to the features after training


def build(config: Mapping[str, Any]) -> Method:
  """The method that a config describes."""
  return plan(config).method


def plan(config: Mapping[str, Any]) -> Plan:
  """Everything that a config describes, without loading data or making an array.

  Raises:
    ConfigError: for an unknown key, name or option, or a value of the wrong type or range.
  """
  c = complete(config)
  data = open_data(c['data'])
  batch_size = natural(c, 'batch_size')
  examples = len(data.splits['train'])
  if batch_size > examples:
    raise ConfigError(f'batch_size {batch_size} is more than the {examples} training examples of {c["data"]["name"]}')
  epoch = examples // batch_size
  steps = 0 if not c['terms'] else natural(c, 'steps') if c['steps'] else natural(c, 'epochs') * epoch
  clock = dict(steps=steps, epoch=epoch)

  networks, modules = {}, {}

  def add(name: str, above: tuple = ()) -> nnx.Module:
    if name in modules:
      return modules[name]
    place = 'backbone' if name == 'backbone' else f'heads.{name}'
    spec = dict(c['backbone'] if name == 'backbone' else c['heads'][name])
    on = spec.pop('on', f'data.{data.inputs}' if name == 'backbone' else 'backbone')
    if on in ('backbone', *c['heads']) and on not in (name, *above):
      on = add(on, (*above, name))
    elif isinstance(on, str) and on.startswith('data.') and on[5:] in data.spec:
      on = data.spec[on[5:]]
    else:
      known = ['backbone', *c['heads'], *(f'data.{column}' for column in data.spec)]
      raise ConfigError(f'{place}.on is {on!r}, which is no network or column that it can stand on{closest(on, known)}')
    factory = partial(option(place, spec, 'models'), on)
    create = lambda key: factory(rngs=nnx.Rngs(key))
    with _told(place):
      networks[name] = network(create)
      modules[name] = nnx.eval_shape(lambda: create(jax.random.key(0)))
    return modules[name]

  for name in ('backbone', *c['heads']):
    add(name)

  terms, weights = {}, {}
  for name, spec in c['terms'].items():
    spec = dict(spec)
    weights[name] = resolved(f'terms.{name}.weight', 'weight', spec.pop('weight', 1.0), clock)
    factory = lookup('terms', spec.get('name'), f'terms.{name}')
    if 'view' in inspect.signature(factory).parameters and c['view'] and 'view' not in spec:
      spec['view'] = c['view']
    with _told(f'terms.{name}'):
      terms[name] = call(option(f'terms.{name}', spec, 'terms', clock))

  teacher, taught = None, ()
  if c['teacher']:
    spec = dict(c['teacher'])
    taught = tuple(spec.pop('networks', ('backbone',)))
    if missing := set(taught) - set(networks):
      raise ConfigError(f'teacher.networks names {sorted(missing)}; the networks are {sorted(networks)}')
    teacher = call(option('teacher', spec, 'teachers', clock))

  batch = {
    name: jax.ShapeDtypeStruct((batch_size, *x.shape), x.dtype)
    for name, x in {**data.spec, 'example': _INDEX, 'epoch': _INDEX}.items()
  }
  represent = {'encoder': 'backbone', 'from_teacher': False, **c['represent']}
  if wrong := [key for key in represent if key not in ('encoder', 'from_teacher')]:
    raise ConfigError(f'represent has no option {wrong[0]!r}{closest(wrong[0], ("encoder", "from_teacher"))}')
  of = taught if represent['from_teacher'] else tuple(networks)
  if represent['encoder'] not in of:
    raise ConfigError(f'represent.encoder is {represent["encoder"]!r}{closest(represent["encoder"], of)}')
  inputs = option('inputs', c['inputs'] or dict(name='columns', names=(data.inputs,)), 'views')
  with _told('the method'):
    method = make_method(
      networks, terms, weights,
      batch=batch, inputs=inputs, teacher=teacher, taught=taught, micro_batches=natural(c, 'micro_batches'), **represent,
    )  # fmt: skip
  optimizer, learning_rate = make_optimizer(c['optimizer'], clock)
  transform = resolved('transform', 'transform', c['transform'], clock) if c['transform'] else None
  return Plan(c, method, data, optimizer, learning_rate, batch, steps, epoch, judges(c['evaluators']), transform)


def judges(specs: Mapping[str, Any]) -> dict[str, partial]:
  """label -> evaluator with its options bound, each checked by name and type."""
  return {label: option(f'evaluators.{label}', spec, 'evaluators') for label, spec in specs.items()}


def open_data(spec: Mapping[str, Any]) -> Data:
  """The data set of a config: one of the table, or any of TensorFlow Datasets by its name there."""
  known = tables.TABLES['data']
  if isinstance(spec.get('name'), str) and spec['name'] not in known:
    if difflib.get_close_matches(spec['name'], known, 1, 0.8):
      raise ConfigError(f'no data set is called {spec["name"]!r}{closest(spec["name"], known)}')
    bound = option('data', {**spec, 'name': 'tfds'}, 'data')
    return bound(spec['name'])
  return call(option('data', spec, 'data'))


_INDEX = jax.ShapeDtypeStruct((), jnp.int32)


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
  """A config as plain dicts, with every key present and none unknown."""
  c = config.to_dict() if hasattr(config, 'to_dict') else dict(config)
  if c.get('experiment'):
    raise ConfigError('this system has a training loop of its own: `jssl reproduce` runs it')
  known = [*REQUIRED, *DEFAULTS]
  for key in c:
    if key not in known:
      raise ConfigError(f'unknown config key {key!r}{closest(key, known)}')
  if missing := [key for key in REQUIRED if c.get(key) is None]:
    raise ConfigError(f'the config lacks {missing}; every config has {list(REQUIRED)} and epochs or steps')
  c = {**DEFAULTS, **c}
  for key in ('backbone', 'data', 'terms', 'optimizer', 'heads', 'represent', 'mesh', 'evaluators'):
    if not isinstance(c[key], Mapping):
      raise ConfigError(f'{key} must be a dict, not {c[key]!r}')
  if not c['terms'] and c['steps'] != 0:
    raise ConfigError('terms is empty: a method needs at least one; to judge a network as it is set steps=0')
  if c['terms'] and not c['epochs'] and not c['steps']:
    raise ConfigError('the config needs epochs or steps')
  return c


def make_optimizer(spec: Mapping[str, Any], clock: Mapping[str, int]) -> tuple[optax.GradientTransformation, Callable]:
  """The optimiser, and its learning rate as a function of the step."""
  bound = option('optimizer', spec, 'optimizers', clock)
  rate = bound.keywords.get('learning_rate')
  return call(bound), rate if isinstance(rate, Schedule) else lambda step: jnp.float32(rate or 0.0)


def option(place: str, spec: Any, table: str, clock: Mapping[str, int] | None = None) -> partial:
  """`dict(name=..., **options)` as the table's entry with its options bound, each checked by name and type."""
  if isinstance(spec, str):
    spec = dict(name=spec)
  if not isinstance(spec, Mapping) or 'name' not in spec:
    raise ConfigError(f'{place} must be dict(name=..., ...), not {spec!r}')
  function = lookup(table, spec['name'], place)
  inner = getattr(function, 'judge', function)
  inner = inner.func if isinstance(inner, partial) else inner
  inner = inner.__init__ if inspect.isclass(inner) else inner
  parameters, hints = inspect.signature(inner).parameters, typing.get_type_hints(inner)
  free = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
  options = {}
  for key, value in spec.items():
    if key == 'name':
      continue
    known = [n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY and n not in ('rngs', 'steps', 'epoch')]
    if key not in known and not free:
      raise ConfigError(f'{place} ({spec["name"]}) has no option {key!r}{closest(key, known)}')
    options[key] = resolved(f'{place}.{key}', key, value, clock)
    if not accepts(hints.get(key, Any), options[key]):
      raise ConfigError(f'{place}.{key} must be {_readable(hints[key])}, not {value!r}')
  if table == 'schedules':
    options |= clock or {}
  return partial(function, **options)


def resolved(place: str, key: str, value: Any, clock: Mapping[str, int] | None) -> Any:
  """A config value with every `dict(name=...)` in it replaced by what it names."""
  if key in KINDS and value is not None and not (isinstance(value, Mapping) and 'name' in value):
    raise ConfigError(f'{place} must be dict(name=..., ...), not {value!r}')
  if isinstance(value, Mapping) and 'name' in value:
    table, factory = KINDS.get(key, ('schedules', True))
    if table == 'schedules' and clock is None:
      raise ConfigError(f'{place} cannot change with the step; give a plain value, not {dict(value)!r}')
    bound = option(place, value, table, clock)
    return call(bound) if factory else bound
  if isinstance(value, Mapping):
    singular = key.removesuffix('s') if key.removesuffix('s') in KINDS else ''
    return {k: resolved(f'{place}.{k}', singular or k, v, clock) for k, v in value.items()}
  return value


def lookup(table: str, name: Any, place: str) -> Callable:
  entries = tables.TABLES[table]
  if name not in entries:
    raise ConfigError(f'{place}: no {table.removesuffix("s")} is called {name!r}{closest(name, entries)}')
  return entries[name]


def call(bound: partial) -> Any:
  """Calls a bound factory, its complaints about missing options made readable."""
  try:
    inspect.signature(bound.func).bind(*bound.args, **bound.keywords)
  except TypeError as error:
    raise ConfigError(f'{bound.func.__name__}: {error}') from None
  return bound()


def closest(name: Any, known: typing.Iterable[str]) -> str:
  near = difflib.get_close_matches(str(name), list(known), 3, 0.4)
  return f'; did you mean {" or ".join(near)}?' if near else f'; there are {", ".join(sorted(known)) or "none"}'


def natural(c: Mapping[str, Any], key: str) -> int:
  if not isinstance(c[key], int) or isinstance(c[key], bool) or c[key] < 1:
    raise ConfigError(f'{key} must be a whole number of at least 1, not {c[key]!r}')
  return c[key]


def accepts(hint: Any, value: Any) -> bool:
  """Whether a config value fits a parameter's annotation; unknown annotations accept anything."""
  if hint is float:
    return isinstance(value, int | float | Schedule) and not isinstance(value, bool)
  if hint in (int, str, bool):
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
  if hint is None or hint is type(None):
    return value is None
  origin = typing.get_origin(hint)
  if origin in (typing.Union, types.UnionType):
    return any(accepts(h, value) for h in typing.get_args(hint))
  if origin in (tuple, list):
    return isinstance(value, tuple | list)
  if origin in (dict, Mapping):
    return isinstance(value, Mapping)
  return True


def _readable(hint: Any) -> str:
  return hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else str(hint).replace('typing.', '')


class _told:
  """Names the part of the config in errors that building it raises."""

  def __init__(self, place: str):
    self.place = place

  def __enter__(self):
    return self

  def __exit__(self, kind, error, trace):
    if isinstance(error, ConfigError) or not isinstance(error, ValueError | TypeError | AttributeError | KeyError):
      return False
    raise ConfigError(f'{self.place}: {error}') from error
