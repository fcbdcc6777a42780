"""From a config to a method: the only reader of configs."""

import difflib
import inspect
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
from jssl.options import ConfigError, call, closest, lookup, mapping, natural, option, resolved, told
from jssl.parts.guards import Guard
from jssl.parts.schedules import Schedule, duration
from jssl.types import Batch, Data, Method, Transform

DEFAULTS = dict(
  epochs=None, steps=None, seed=0, name='', number=None, heads={}, view=None, inputs=None, teacher=None, represent={}, micro_batches=1,
  mesh={}, rules='replicated', log_every=10, checkpoint_every='20%', health_every='10%', keep=2, guard=dict(name='stop'), claim=None,
  kind='method', evaluators=dict(knn=dict(name='knn'), linear=dict(name='linear')), transform=None, experiment=None,
)  # fmt: skip
REQUIRED = ('backbone', 'data', 'batch_size', 'terms', 'optimizer')


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
  guard: Guard | None  # what happens to a step that goes wrong
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
    spec = mapping(place, c['backbone'] if name == 'backbone' else c['heads'][name])
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
    with told(place):
      networks[name], modules[name] = network(create)
    return modules[name]

  for name in ('backbone', *c['heads']):
    add(name)

  terms, weights = {}, {}
  for name, spec in c['terms'].items():
    spec = mapping(f'terms.{name}', spec)
    weights[name] = resolved(f'terms.{name}.weight', 'weight', spec.pop('weight', 1.0), clock)
    factory = lookup('terms', spec.get('name'), f'terms.{name}')
    if 'view' in inspect.signature(factory).parameters and c['view'] and 'view' not in spec:
      spec['view'] = c['view']
    with told(f'terms.{name}'):
      terms[name] = call(option(f'terms.{name}', spec, 'terms', clock))

  teacher, taught = None, ()
  if c['teacher']:
    spec = mapping('teacher', c['teacher'])
    taught = spec.pop('networks', ('backbone',))
    if not isinstance(taught, tuple | list) or (missing := [name for name in taught if name not in tuple(networks)]):
      wrong = missing if isinstance(taught, tuple | list) else taught
      raise ConfigError(f'teacher.networks names {wrong!r}; the networks are {sorted(networks)}')
    taught = tuple(taught)
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
  with told('the method'):
    method = make_method(
      networks, terms, weights,
      batch=batch, inputs=inputs, teacher=teacher, taught=taught, micro_batches=natural(c, 'micro_batches'), **represent,
    )  # fmt: skip
  optimizer, learning_rate = make_optimizer(c['optimizer'], clock)
  guard = call(option('guard', c['guard'], 'guards')) if c['guard'] else None
  natural(c, 'keep'), natural(c, 'seed', least=0)
  for key in ('log_every', 'checkpoint_every', 'health_every'):
    with told(key):
      int(duration(c[key], **clock))
  transform = resolved('transform', 'transform', c['transform'], clock) if c['transform'] else None
  evaluators = judges(c['evaluators'])
  return Plan(c, method, data, optimizer, learning_rate, batch, steps, epoch, guard, evaluators, transform)


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
