"""Builds a plan from a config. No other module reads configs."""

import difflib
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jssl import changes, sizes, starts, tables
from jssl.core.graph import SOURCES, Node, arrange, memories_read, parse, reached
from jssl.core.mesh import check_layout
from jssl.core.method import make_method
from jssl.core.nets import Network, init, network
from jssl.core.phases import Phase, Turn, phase_at
from jssl.data.core.arrays import counted
from jssl.data.core.records import home, is_known
from jssl.errors import ConfigError
from jssl.keys import OF_A_PHASE, OF_A_TURN, complete, known_type
from jssl.optimizer import optimizer
from jssl.options import call, closest, in_range, lookup, mapping, mentions, naming, natural, option, resolved, shown, signed, with_facts
from jssl.parts.guards import Guard
from jssl.parts.schedules import Schedule, duration
from jssl.types import Batch, Column, Data, Loss, Method, Transform
from jssl.weights import apart


class Plan(NamedTuple):
  """A built config, ready to be run by the loop."""

  config: dict[str, Any]
  data: Data
  phases: tuple[Phase, ...]
  steps: int
  epoch: int  # steps in an epoch
  guard: Guard | None  # how failed steps are handled
  evaluators: Mapping[str, Callable]  # label -> (subject, key) -> figures
  transform: Transform | None  # fitted to the features after training

  @property
  def method(self) -> Method:
    """The method of the first phase."""
    return self.phases[0].turns[0].method

  def method_of(self, step: int) -> Method:
    """The method of the phase that the state after `step` steps belongs to."""
    return self.phases[phase_at(self.phases, step)].turns[0].method

  @property
  def batch(self) -> Batch:
    """Shapes of one global batch of the first phase."""
    return self.phases[0].batch

  def at(self, step: int) -> Phase:
    """The phase of the update that follows `step` steps."""
    return self.phases[phase_at(self.phases, step + 1)]


def build(config: Mapping[str, Any]) -> Method:
  """Builds the method that a config describes: its networks, passes and losses as pure functions."""
  return plan(config).method


def plan(config: Mapping[str, Any]) -> Plan:
  """Builds everything that a config describes, without allocating arrays. Texts are read, since shapes depend on their vocabulary.

  Raises:
    ConfigError: for an unknown key, name or option, or a value of the wrong type or range.
  """
  c = complete(config)
  data = open_data(c['data'])
  batch_size = natural(c, 'batch_size')
  with naming('mesh'):
    check_layout(batch_size, c['mesh'], natural(c, 'micro_batches'), c['rules'])
  epoch = batches_of(data, c['data'], batch_size)
  steps = 0 if not c['losses'] else natural(c, 'steps') if c['steps'] else natural(c, 'epochs') * epoch
  if steps >= 2**31:
    raise ConfigError(f'the run has {steps} steps, and steps are counted in 32 bits; give fewer steps or epochs')
  networks = sizes.fitted(c, data, columns_of(data), make_networks)
  phases, first = [], 0
  for spec, length in spread(c['phases'], steps, epoch):
    phases.append(make_phase(c, spec, first, length, data, networks))
    first += length
  guard = call(option('guard', c['guard'], 'guards')) if c['guard'] else None
  natural(c, 'keep'), natural(c, 'seed', least=0)
  for key in ('log_every', 'checkpoint_every', 'health_every', *(('evaluate_every',) if c['evaluate_every'] is not None else ())):
    with naming(key):
      int(duration(c[key], steps=steps, epoch=epoch))
  clock = dict(steps=steps, epoch=epoch)
  known = with_facts(dict(transform=c['transform'], evaluators=c['evaluators']), columns_of(data))
  transform = resolved('transform', Transform, known['transform'], clock) if c['transform'] else None
  return Plan(c, data, tuple(phases), steps, epoch, guard, judges(known['evaluators']), transform)


def columns_of(data: Data) -> dict[str, Column]:
  """The columns of a data set, and the two columns that every batch has."""
  return {**data.spec, 'example': Column((), jnp.int32, size=len(data.splits['train'])), 'epoch': Column((), jnp.int32)}


def batches_of(data: Data, spec: Mapping[str, Any], batch_size: int) -> int:
  """The number of whole batches in the training split."""
  examples = len(data.splits['train'])
  if batch_size > examples:
    raise ConfigError(f'batch_size {batch_size} is more than the {examples} training examples of {spec["name"]}; give at most as many')
  return examples // batch_size


def spread(phases: Any, steps: int, epoch: int) -> list[tuple[dict[str, Any], int]]:
  """The phases of a config with their lengths in steps. The lengths add up to `steps`; one phase may omit its length and takes the rest."""
  if not isinstance(phases, tuple | list):
    raise ConfigError(f'phases must be a tuple of dict(steps=..., losses=(...), ...), not {shown(phases)}')
  specs = [mapping(f'phases[{i}]', spec) for i, spec in enumerate(phases)] or [{}]
  lengths = []
  for i, spec in enumerate(specs):
    known = ('steps', 'losses', *OF_A_PHASE)
    if wrong := [key for key in spec if key not in known]:
      raise ConfigError(f'phases[{i}] has no option {wrong[0]!r}{closest(wrong[0], known)}')
    with naming(f'phases[{i}].steps'):
      length = spec.get('steps')
      lengths.append(None if length is None else round(duration(length, steps=steps, epoch=epoch)))
  known = sum(length or 0 for length in lengths)
  open_ = [i for i, length in enumerate(lengths) if length is None]
  if len(open_) > 1:
    raise ConfigError(f'phases[{open_[1]}] has no steps, and neither has phases[{open_[0]}]; one phase at most can take what is left')
  for i in open_:
    lengths[i] = steps - known
  if steps and (sum(lengths) != steps or min(lengths) < 1):
    raise ConfigError(f'the phases have {lengths} steps, which must be at least 1 each and add up to {steps}')
  return list(zip(specs, lengths, strict=True))


def make_networks(c: Mapping[str, Any], data: Data) -> dict[str, Network]:
  """Builds every network of a config for its input."""
  networks, made, asked, c = {}, {}, c, with_facts({key: c[key] for key in ('backbone', 'heads')}, columns_of(data))

  def add(name: str, above: tuple = ()) -> nnx.Module:
    if name in made:
      return made[name]
    place = 'backbone' if name == 'backbone' else f'heads.{name}'
    spec = mapping(place, c['backbone'] if name == 'backbone' else c['heads'][name])
    on = spec.pop('on', f'data.{data.inputs}' if name == 'backbone' else 'backbone')
    if on in ('backbone', *c['heads']) and on not in (name, *above):
      on = add(on, (*above, name))
    elif isinstance(on, str) and on.startswith('data.') and on[5:] in data.spec:
      column, on = on[5:], data.spec[on[5:]]
    else:
      known = ['backbone', *c['heads'], *(f'data.{column}' for column in data.spec)]
      raise ConfigError(f'{place}.on is {on!r}, which is no network or column that it can stand on{closest(on, known)}')
    factory = computing_in(place, option(place, spec, 'models'), asked.get('dtype'))
    if isinstance(on, Column):
      factory = on_column(factory, on)
    create = lambda key: factory(on, rngs=nnx.Rngs(key))
    with naming(place):
      networks[name], made[name] = network(create)
    if isinstance(on, Column) and (rows := rows_of(made[name])) is not None and rows < (size := on.size or counted(data, column)):
      raise ConfigError(f'{place} has {rows} vectors, and the column that it looks up has numbers up to {size - 1}: give at least {size}')
    if (
      isinstance(on, Column) and on.size and on.pad is not None and 'pad' not in spec and (pad := getattr(made[name], 'pad', on.pad)) != on.pad
    ):
      raise ConfigError(
        f'{place} takes {pad} for the id of padding, and the column {column!r} is padded with {on.pad}: give the tokenizer of the network, '
        '--config.data.tokenizer=FOLDER/tokenizer.json; where that is its tokenizer, pad_token_id in the config.json of the folder is wrong'
      )
    return made[name]

  for name in ('backbone', *c['heads']):
    add(name)
  changed = changes.changes(asked.get('lora'), asked.get('masks'), made)
  return {name: net._replace(changes=changed[name]) if name in changed else net for name, net in networks.items()}


def computing_in(place: str, factory: partial, dtype: str | None) -> partial:
  """Fills in the compute type of a network that takes one and is not given its own. Raises ConfigError for another type than `TYPES`."""
  dtype = factory.keywords.get('dtype', dtype)
  known_type(f'{place}.dtype', dtype)
  return partial(factory, dtype=dtype) if dtype and 'dtype' in inspect.signature(signed(factory.func)).parameters else factory


def on_column(factory: partial, column: Column) -> partial:
  """Fills in the options of a network that follow from its input column: the vocabulary size, the padding id and the mask id."""
  found = inspect.signature(signed(factory.func)).parameters if column.size is not None else ()
  facts = dict(vocabulary=column.size, count=column.size, actions=column.size, pad=column.pad, mask_id=column.mask)
  return partial(factory, **{k: v for k, v in facts.items() if k in found and k not in factory.keywords and not (v is None and k != 'pad')})


def rows_of(module: Any) -> int | None:
  """The number of ids that a network has vectors for."""
  return getattr(module, 'vocabulary', getattr(module, 'count', None))


def make_phase(c: Mapping[str, Any], spec: Mapping[str, Any], first: int, steps: int, data: Data, networks: Mapping[str, Network]) -> Phase:
  """Builds one phase of a config, of `steps` steps from step `first`."""
  if first and 'of' in mapping('start', c['start']):
    c = {**c, 'start': {}}  # `start` applies to the start of the run, not of each phase
  c = {**c, **{key: spec[key] for key in OF_A_PHASE if key in spec}}
  if 'data' in spec:
    data = open_data(mapping('phases.data', spec['data']))
  c |= with_facts({key: c[key] for key in ('passes', 'losses', 'memories', 'metrics', 'view', 'inputs', 'refresh')}, columns_of(data))
  batch_size = c['batch_size']
  epoch = batches_of(data, c['data'], batch_size)
  clock = dict(steps=steps, epoch=epoch)
  refreshes = {}
  for name, given in mapping('refresh', c['refresh']).items():
    given = mapping(f'refresh.{name}', given)
    every = given.pop('every', None)
    with naming(f'refresh.{name}.every'):
      every = max(1, round(duration(every, **clock)))
    refreshes[name] = call(option(f'refresh.{name}', given, 'refreshes', clock))._replace(every=every)
  fresh = {name: x for refresh in refreshes.values() for name, x in refresh.columns(data).items()}
  columns = {**columns_of(data), **fresh}
  batch = {name: jax.ShapeDtypeStruct((batch_size, *x.shape), x.dtype) for name, x in sizes.in_training(data, columns).items()}
  teachers = make_teachers(c, networks, clock)
  names = chosen('phases.losses', spec.get('losses'), c['losses'])
  begin = starts.outside(mapping('start', c['start']), networks)
  inside = {} if begin else starts.begins(mapping('start', c['start']), networks, teachers)
  shapes = lambda: jax.eval_shape(lambda: init(networks, jax.random.key(0))[0])
  frozen = starts.places(c['freeze'], shapes()) if c['freeze'] else ()
  held = [network for network, path, _ in frozen if not path]
  cycle = c['cycle'] or ({},)
  turns = []
  for i, turn in enumerate(cycle):
    turn = mapping(f'cycle[{i}]', turn)
    if wrong := [key for key in turn if key not in OF_A_TURN]:
      raise ConfigError(f'cycle[{i}] has no option {wrong[0]!r}{closest(wrong[0], OF_A_TURN)}')
    updates = natural({f'cycle[{i}].updates': turn.get('updates', 1)}, f'cycle[{i}].updates')
    own = chosen(f'cycle[{i}].losses', turn.get('losses'), names)
    trained = changes.trained(f'cycle[{i}].train', turn.get('train', c['train']), networks, shapes, held)
    if own and not trained:
      raise ConfigError('every network is frozen: nothing is left to train')
    rounds = {'steps': max(1, steps * updates // sum(t.get('updates', 1) for t in cycle)), 'epoch': epoch}
    made, rate = optimizer(turn.get('optimizer') or c['optimizer'], rounds, batch_size, shapes, lambda of, names=trained: apart(of, names)[0])
    method = of_turn(c, own, networks, teachers, data, columns, batch, clock, inside, held)
    parts = tuple(part for part in frozen if part[0] in {name.partition('.')[0] for name in trained})
    turns.append(Turn(method, made, rate, trained, parts, updates))
  return Phase(first, steps, tuple(turns), data, batch, epoch, refreshes, begin)


def chosen(place: str, given: Any, known: Iterable[str]) -> tuple[str, ...]:
  """The given names, each checked to be known; all known names if none are given."""
  known = tuple(known)
  if given is None:
    return known
  if not isinstance(given, tuple | list) or (wrong := [name for name in given if name not in known]):
    wrong = given if not isinstance(given, tuple | list) else wrong[0]
    raise ConfigError(f'{place} names {wrong!r}{closest(wrong, known)}')
  return tuple(given)


def make_teachers(c: Mapping[str, Any], networks: Mapping[str, Network], clock: Mapping[str, int]) -> dict[str, tuple]:
  """Builds the teachers: name -> rule and the networks that it tracks. The key `teacher` gives the teacher with that name."""
  specs = {**({'teacher': c['teacher']} if c['teacher'] else {}), **mapping('teachers', c['teachers'])}
  found = {}
  for name, spec in specs.items():
    place = 'teacher' if name == 'teacher' else f'teachers.{name}'
    spec = mapping(place, spec)
    taught = chosen(f'{place}.networks', spec.pop('networks', ('backbone',)), networks)
    found[name] = call(option(place, spec, 'teachers', clock)), taught
  return found


def of_turn(
  c: Mapping[str, Any], names: Sequence[str], networks, teachers, data: Data, columns: Mapping[str, Column], batch: Batch,
  clock: Mapping[str, int], inside: Mapping[str, str], held: Sequence[str],
) -> Method:  # fmt: skip
  """Builds the method of one turn from the named losses, with its passes, memories and metrics."""
  losses = {name: make_loss(f'losses.{name}', c['losses'][name], 'objectives', clock) for name in names}
  losses = {name: loss for name, loss in losses.items() if loss.weight}  # a loss whose weight is always 0 is not computed
  if names and not losses:
    raise ConfigError(f'every loss has weight 0, so that nothing would be trained: give one of {sorted(names)} a weight')
  metrics = {name: make_loss(f'metrics.{name}', spec, 'metrics', clock) for name, spec in mapping('metrics', c['metrics']).items()}
  nodes = {name: make_node(name, spec, c, networks, teachers, clock) for name, spec in mapping('passes', c['passes']).items()}
  memories = {}
  for name, spec in mapping('memories', c['memories']).items():
    spec = mapping(f'memories.{name}', spec)
    of = spec.pop('of', ())
    if not isinstance(of, str) and not (isinstance(of, tuple | list) and all(isinstance(text, str) for text in of)):
      raise ConfigError(f"memories.{name}.of must be a reference or several, of=('views.k',), not {shown(of)}")
    memories[name] = call(option(f'memories.{name}', spec, 'memories', clock)), ((of,) if isinstance(of, str) else tuple(of))
  # A memory or a metric that reads only outputs which no loss needs is left out.
  wanted = [w for name, loss in losses.items() for w in wants(f'losses.{name}', loss)]
  run = reached(nodes, [text for _, text, _ in wanted])
  refs = (parse(text, place) for place, text, _ in wanted)
  read = {ref.name.split('.')[0] for ref in refs if ref.source == 'memory'} | memories_read(nodes[name] for name in run)
  idle = lambda ref: ref.name in c['losses'] and ref.name not in losses if ref.source == 'loss' else ref.source in {*nodes} - run
  within = lambda refs: not any(idle(parse(text, 'metrics')) for text in refs)
  memories = {n: m for n, m in memories.items() if n in read or within(m[1])}
  metrics = {n: m for n, m in metrics.items() if within([*m.positional, *m.keywords.values()])}
  wanted += [w for name, metric in metrics.items() for w in wants(f'metrics.{name}', metric)]
  for name, (_, of) in memories.items():
    for text in of:
      if (ref := parse(text, place := f'memories.{name}.of')).source != 'loss':
        wanted.append((place, text, None))
      elif ref.name not in losses:
        why = 'that loss is not computed' if idle(ref) else f'no loss is called {ref.name!r}{closest(ref.name, losses)}'
        raise ConfigError(f'{place}: {text}: {why}')
  watched = tuple(c['watch']) if c['watch'] and within(c['watch']) else None
  wanted += [('watch', text, None) for text in watched or ()]
  graph = arrange(nodes, wanted, batch, networks, memories)
  for node in (node for stage in graph.stages for node in stage):
    if node.teacher is not None and node.teacher not in teachers:
      raise ConfigError(f'passes.{node.name}.of_teacher is {node.teacher!r}{closest(node.teacher, teachers)}')
  represent = {'encoder': 'backbone', 'from_teacher': False, **c['represent']}
  if wrong := [key for key in represent if key not in ('encoder', 'from_teacher')]:
    raise ConfigError(f'represent has no option {wrong[0]!r}{closest(wrong[0], ("encoder", "from_teacher"))}')
  teacher = 'teacher' if represent['from_teacher'] is True else represent['from_teacher'] or None
  teacher = teacher if teacher in teachers else None  # a phase may have no teacher
  of = teachers[teacher][1] if teacher else tuple(networks)
  if represent['encoder'] not in of:
    raise ConfigError(f'represent.encoder is {represent["encoder"]!r}{closest(represent["encoder"], of)}')
  inputs = option('inputs', c['inputs'] or dict(name='columns', names=(data.inputs,)), 'views')
  with naming('the method'):
    return make_method(
      networks, graph, losses,
      columns=columns, batch=batch, inputs=inputs, memories=memories, metrics=metrics, watched=watched, teachers=teachers,
      start=inside, held=held, encoder=represent['encoder'], from_teacher=teacher,
      micro_batches=natural(c, 'micro_batches'), rules=c['rules'],
    )  # fmt: skip


def make_node(name: str, spec: Any, c: Mapping[str, Any], networks, teachers, clock: Mapping[str, int]) -> Node:
  """Builds a pass of a config."""
  place = f'passes.{name}'
  if name in (*SOURCES, 'whole'):
    raise ConfigError(f'{place}: a pass cannot be called {name}, which references use for something else; give it another name')
  spec = mapping(place, spec)
  frozen = chosen(f'{place}.frozen', spec.pop('frozen', ()), networks)
  teacher = spec.pop('of_teacher', next(iter(teachers), None))
  factory = lookup('passes', spec.get('name'), place)
  hints, spec = typing.get_type_hints(factory), sizes.with_view(spec, factory, c['view'])
  reads = [ref for key, value in spec.items() if mentions(hints.get(key)) and value is not None for ref in references(value)]
  for ref in reads:
    parse(ref, place)
  with naming(place):
    run = call(option(place, spec, 'passes', clock))
  return Node(name, spec['name'], run, tuple(reads), frozen, teacher)


def references(value: Any) -> list[Any]:
  if isinstance(value, Mapping):
    return list(value.values())
  return list(value) if isinstance(value, list | tuple) else [value]


def make_loss(place: str, spec: Any, table: str, clock: Mapping[str, int]) -> Loss:
  """Builds a loss of a config: dict(name, of, weight, pairs, over, **options of the objective)."""
  spec = mapping(place, spec)
  of = spec.pop('of', None)
  weight = resolved(f'{place}.weight', float, spec.pop('weight', 1.0), clock)
  if not isinstance(weight, int | float | Schedule) or isinstance(weight, bool):
    raise ConfigError(f'{place}.weight must be a number or a schedule, not {shown(weight)}')
  weight = in_range(f'{place}.weight', float, weight)
  pairs, over = spec.pop('pairs', None), spec.pop('over', None)
  bound = option(place, spec, table, clock)
  wrong = None
  if not isinstance(of, str | tuple | list | Mapping) or not of:
    wrong = f"of is {of!r}; name the outputs that it judges, of=('views.q', 'views.k') or of=dict(q='views.q', ...)"
  elif over not in (None, 'views'):
    wrong = f"over is {over!r}; the only choice is 'views'"
  elif pairs is not None and pairs != 'all' and not _whole_pairs(pairs):
    wrong = f"pairs is {pairs!r}; write 'all' or ((0, 1), ...)"
  elif pairs is not None and over is not None:
    wrong = 'pairs and over exclude each other; give one of them'
  elif pairs is not None and (len(of) < 2 or isinstance(of, str)):
    wrong = 'pairs needs two outputs to compare; name both in `of`'
  elif isinstance(t := bound.keywords.get('temperature'), int | float) and t < 0:
    wrong = f'temperature is {t}; give a number above 0'
  if wrong:
    raise ConfigError(f'{place}: {wrong}')
  positional = (of,) if isinstance(of, str) else () if isinstance(of, Mapping) else tuple(of)
  keywords = dict(of) if isinstance(of, Mapping) else {}
  for text in [*positional, *keywords.values()]:
    parse(text, place)
  parameters = inspect.signature(bound.func).parameters
  keywords = {name: keywords[name] for name in sorted(keywords, key=[*parameters, *keywords].index)}  # `pairs` compares the first two arguments
  draws = 'key' in parameters
  try:
    inspect.signature(bound.func).bind(*positional, **keywords, **bound.keywords, **({'key': None} if draws else {}))
  except TypeError as error:
    raise ConfigError(f'{place} ({spec["name"]}): {error}; `of` gives its arrays, which are {_arrays(parameters)}') from None
  assign = None if ':' in spec['name'] else tables.TABLES['assignments'].get(spec['name'])
  if assign:
    taken = inspect.signature(assign).parameters
    assign = partial(assign, **{key: value for key, value in bound.keywords.items() if key in taken})
  pairs = pairs if pairs in (None, 'all') else tuple(map(tuple, pairs))
  return Loss(bound, positional, keywords, weight, pairs, over, draws, assign)


def _arrays(parameters: Mapping[str, inspect.Parameter]) -> str:
  return ', '.join(n for n, p in parameters.items() if p.default is p.empty and n != 'key')


def _whole_pairs(pairs: Any) -> bool:
  return isinstance(pairs, Sequence) and bool(pairs) and all(
    isinstance(p, Sequence) and len(p) == 2 and all(isinstance(i, int) for i in p) for p in pairs
  )  # fmt: skip


def wants(place: str, loss: Loss) -> list[tuple[str, str, frozenset[int] | None]]:
  """The references of a loss, with the views that it reads."""
  refs = [*loss.positional, *loss.keywords.values()]
  some = [None] * len(refs)
  if loss.pairs not in (None, 'all'):
    some[:2] = [frozenset(i for i, _ in loss.pairs), frozenset(j for _, j in loss.pairs)]
  return [(place, text, views) for text, views in zip(refs, some, strict=True)]


def judges(specs: Mapping[str, Any]) -> dict[str, partial]:
  """label -> evaluator with its options bound; each option is checked by name and type."""
  return {label: option(f'evaluators.{label}', spec, 'evaluators') for label, spec in specs.items()}


def open_data(spec: Mapping[str, Any]) -> Data:
  """Opens the data set of a config: one from the table, or any TensorFlow Datasets data set by its name there."""
  known, name = tables.TABLES['data'], spec.get('name')
  if isinstance(name, str) and name not in known:
    with naming('data'):
      misspelt = difflib.get_close_matches(name, known, 1, 0.8) and not is_known(name, home(spec.get('data_dir')))
    if misspelt:
      raise ConfigError(f'no data set is called {name!r}{closest(name, known)}')
    return option('data', {**spec, 'name': 'tfds'}, 'data')(name)
  return call(option('data', spec, 'data'))
