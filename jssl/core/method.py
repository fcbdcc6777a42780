"""A method: networks, passes, weighted losses and teacher rules, as pure functions."""

import inspect
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jssl.core import nets as nnets
from jssl.core.graph import Graph, look, memories_read, parse, part, stacked
from jssl.core.mesh import known_rules, used
from jssl.core.nets import Network, stats_of
from jssl.devices.micro_batches import in_micro_batches
from jssl.devices.sharding import axes_of_examples
from jssl.errors import ConfigError
from jssl.options import closest, naming
from jssl.parts.schedules import at, value_at
from jssl.starts import filled, origin
from jssl.types import Array, Batch, Call, Column, Key, Keys, Loss, Memory, Method, Teacher, View, salted, tag
from jssl.weights import pruned


def example_keys(key: Key, batch: Batch) -> Keys:
  """One key per example, from (seed, epoch, example) alone: independent of its position in the batch and of the process that reads it."""
  return jax.vmap(lambda epoch, example: jax.random.fold_in(jax.random.fold_in(key, epoch), example))(batch['epoch'], batch['example'])


class Outputs:
  """Everything that a loss, a metric or a memory may reference after the passes have run."""

  def __init__(self, outputs: Mapping, batch: Batch, nets: Mapping, memories: Mapping, columns: Mapping[str, Column] | None = None):
    self._given = dict(outputs=outputs, batch=batch, nets=nets, memories=memories)
    self.columns = columns or {}

  def __call__(self, text: str) -> Any:
    """Resolves a reference to an array, or {view: array}."""
    return look(parse(text, 'losses'), **self._given)

  def array(self, text: str) -> Array:
    return stacked(self(text))


class Known(dict):
  """Networks by name; an unknown name raises an error that begins with `missing`."""

  def __init__(self, missing: str, networks: Mapping):
    super().__init__(networks)
    self._missing = missing

  def __missing__(self, name: str):
    raise ConfigError(f'{self._missing} {name!r}{closest(name, self)}')


def judge(loss: Loss, outputs: Outputs, key: Key, step: Array) -> list[Array]:
  """Values of the objective on the outputs that a loss references, [b] or scalars: one, or one per pair or view."""
  objective = at(loss.objective, step)
  drawn = {'key': key} if loss.draws else {}
  given = {**dict(enumerate(map(outputs, loss.positional))), **{name: outputs(text) for name, text in loss.keywords.items()}}
  check_labels(loss, given, outputs.columns)

  def value(chosen: Mapping) -> Array:
    x = {name: chosen[name] if name in chosen else stacked(given[name]) for name in given}
    return objective(*(x[i] for i in range(len(loss.positional))), **{name: x[name] for name in loss.keywords}, **drawn)

  if loss.pairs is not None:
    first, second = [*given][:2]
    q, k = _views(given[first]), _views(given[second])
    return [value({first: q[i], second: k[j]}) for i, j in pairs_of(loss, q, k)]
  if loss.over == 'views':
    views = {name: x for name, x in given.items() if isinstance(x, Mapping)}
    if not views:
      raise ConfigError(f'over="views" needs an output that has views, and none of {sorted([*loss.positional, *loss.keywords.values()])} has')
    return [value({name: x[i] for name, x in views.items()}) for i in sorted(next(iter(views.values())))]
  return [value({})]


def check_labels(loss: Loss, given: Mapping, columns: Mapping[str, Column]) -> None:
  """Raises an error for labels with more classes than the logits they are compared with; an out-of-range label would give NaN."""
  ref = parse(loss.keywords['labels'], 'losses') if 'labels' in loss.keywords else None
  size = columns[ref.name].size if ref and ref.source == 'batch' and ref.name in columns else None
  names = {name: i for i, name in enumerate(inspect.signature(loss.objective).parameters)}
  for argument, axis in (('logits', -1), ('prototypes', 0)):
    x = given.get(argument, given.get(names.get(argument)))
    if x is not None and ref and ref.source == 'batch' and not jnp.issubdtype(given['labels'].dtype, jnp.integer):
      raise ConfigError(f'{ref.text} are {given["labels"].dtype}, and labels are whole numbers from 0: convert the column')
    if size and x is not None and (has := stacked(x).shape[axis]) < size:
      raise ConfigError(f'{ref.text} has {size} classes, and the {argument} that they are held against have {has}: give the network {size}')


def pairs_of(loss: Loss, q: Mapping[int, Any], k: Mapping[int, Any]) -> list[tuple[int, int]]:
  """The pairs of views that a loss compares."""
  if loss.pairs == 'all':
    return [(i, j) for i in sorted(q) for j in sorted(k) if i != j]
  if wrong := [(i, j) for i, j in loss.pairs if i not in q or j not in k]:
    raise ConfigError(f'the pair {wrong[0]} of views is asked for, and there are {sorted(q)} and {sorted(k)}; correct `pairs`')
  return list(loss.pairs)


def mean(values: list[Array]) -> Array:
  """The value of a loss: the mean over pairs or views of the mean over examples."""
  return jnp.mean(jnp.stack([jnp.mean(value) for value in values]))


def _views(x: Any) -> Mapping[int, Array]:
  return x if isinstance(x, Mapping) else dict(enumerate(jnp.unstack(x, axis=1)))


def make_method(
  networks: Mapping[str, Network],
  graph: Graph,
  losses: Mapping[str, Loss],
  *,
  columns: Mapping[str, Column],
  batch: Batch,
  inputs: View,
  memories: Mapping[str, tuple[Memory, tuple[str, ...]]] | None = None,
  metrics: Mapping[str, Loss] | None = None,
  watched: tuple[str, str] | None = None,
  teachers: Mapping[str, tuple[Teacher, tuple[str, ...]]] | None = None,
  start: Mapping[str, str] | None = None,
  held: Collection[str] = (),
  encoder: str = 'backbone',
  from_teacher: str | None = None,
  micro_batches: int = 1,
  rules: Any = 'replicated',
) -> Method:
  """Builds a method as pure functions.

  Args:
    networks: every network by name.
    graph: the passes to run.
    losses: the summands, each with its weight (a number or a schedule).
    columns: the columns of the data and their properties.
    batch: shapes of one global batch; they determine the state shapes of memories.
    inputs: the view of a batch that `represent` encodes.
    memories: state kept between steps, with the references that it is updated from.
    metrics: quantities to log, specified like losses; they do not contribute to the gradient.
    watched: references to the embeddings of two views, for the health panel; by default those of the first loss over pairs.
    teachers: the update rule of each teacher, with the names of the networks that have a target copy.
    start: initialisation from other parts, at the start and when this method continues from the state of another: a network from another
      network or from some of its layers, as in `origin`, or a teacher from 'student'.
    held: frozen networks, which run in evaluation mode: fixed statistics and no dropout.
    encoder: the network that `represent` calls; with `from_teacher`, that teacher's copy of it.
    micro_batches: number of micro-batches that a batch is split into for the passes.
    rules: placement of arrays on the mesh, as in `mesh.shardings`; weights are gathered accordingly before use.
  """
  memories, metrics, teachers, start = memories or {}, metrics or {}, teachers or {}, start or {}

  rules = known_rules(rules)
  bind = lambda params, stats, at='params', train=True: nnets.bind(networks, params, stats, train=train, places=partial(used, rules, at))

  def bound(params, stats):
    of = lambda train: bind({name: x for name, x in params.items() if (name in held) != train}, stats, train=train)
    return {**of(True), **of(False)}

  def encode_all(params, state, batch, keys, graph=graph):
    remembered = {name: memories[name][0].read(held) for name, held in state['memories'].items() if name in memories}
    target, stats, found = state['target'], (state['stats'], state['target_stats']), {}
    if micro_batches > 1 and axes_of_examples():
      whole = lambda params, stats, at: nnets.together(networks, params, stats, partial(used, rules, at))
      params = whole(params, stats[0], 'params')
      target = {t: whole(of, stats[1][t], f'state/target/{t}') for t, of in target.items()}
    for nodes, kept in zip(graph.stages, graph.kept, strict=True):

      def encode(params, held, examples, nodes=nodes, kept=kept):
        target, stats, remembered, whole = held
        batch, keys, outputs = examples
        nets = bound(params, stats[0])
        fixed = {name for node in nodes for name in node.frozen}
        fixed = bound(jax.lax.stop_gradient({name: params[name] for name in fixed}), stats[0]) if fixed else {}
        targets = {t: Known(f'networks of the teacher {t!r} lack', bind(target[t], stats[1][t], f'state/target/{t}')) for t in teachers}
        outputs = {name: dict(of) for name, of in outputs.items()}
        for node in nodes:
          own = Known(f'passes.{node.name}: no network is called', {**nets, **{name: fixed[name] for name in node.frozen}})
          read = lambda text, own=own: look(parse(text, 'passes'), outputs=outputs, batch=batch, nets=own, memories=remembered, whole=whole)
          call = Call(own, targets.get(node.teacher), batch, keys, node.name, graph.asked[node.name], columns, read)
          with naming(f'passes.{node.name} ({node.kind})'), jax.named_scope(node.name):
            outputs[node.name] = node.run.run(call)
        outputs = {name: {output: outputs[name][output] for output in sorted(names)} for name, names in kept.items()}
        return outputs, (stats_of(nets), {name: stats_of(nets) for name, nets in targets.items()})

      read = {name: remembered[name] for name in memories_read(nodes) if name in remembered}
      whole = {**found, 'batch': {**batch, 'keys': keys}} if any(parse(ref, node.name).whole for node in nodes for ref in node.reads) else None
      found, stats = in_micro_batches(encode, micro_batches)(params, (target, stats, read, whole), (dict(batch), keys, found))
    return found, stats

  def target_of(params, stats):
    copies = lambda tree: {t: jax.tree.map(jnp.copy, {name: tree[name] for name in taught}) for t, (_, taught) in teachers.items()}
    return {'target': copies(params), 'target_stats': copies(stats)}

  def memories_of(params, state, key):
    """Initial memories, each with shapes from its inputs, as far as these are known in advance."""

    def begin(name, *shapes):
      with naming(f'memories.{name}'):
        return memories[name][0].init(salted(key, name), *shapes)

    values, held = dict.fromkeys(losses, [jnp.zeros(len(batch['example']))]), {}

    def written_from(name):
      def shapes(batch):
        found, _ = encode_all(params, {**state, 'memories': held}, batch, example_keys(key, batch), waiting[name])
        return sources(name, Outputs(found, batch, bind(params, state['stats']), {}), values)

      return jax.eval_shape(shapes, dict(batch))

    waiting = {name: part(graph, of) for name, (_, of) in memories.items()}
    while waiting:
      ready = [name for name, of in waiting.items() if memories_read(node for nodes in of.stages for node in nodes) <= {*held}]
      held |= {name: begin(name, *written_from(name)) for name in ready} or {name: begin(name) for name in waiting}
      waiting = {name: of for name, of in waiting.items() if name not in held}
    return held

  def sources(name, outputs, values):
    refs = [parse(text, f'memories.{name}.of') for text in memories[name][1]]
    return tuple(jnp.mean(jnp.stack(values[ref.name]), 0) if ref.source == 'loss' else outputs(ref.text) for ref in refs)

  def init(key, given=None):
    params, stats = nnets.init(networks, jax.random.fold_in(key, tag('networks')), partial(used, rules, 'params'))
    params, stats = begun(params, stats, given)
    state = {'stats': stats, **target_of(params, stats)}
    return params, {**state, 'memories': memories_of(params, state, key)}

  def begun(params, stats, given):
    if given:
      params, stats = filled(params, given[0]), filled(stats, given[1])
    params, stats = ({name: origin(name, start.get(name, name), of) for name in networks} for of in (params, stats))
    return {name: pruned(networks[name].changes, of) for name, of in params.items()}, stats

  def enter(params, state, key, given=None):
    params, stats = begun(params, state['stats'], given)
    fresh = target_of(params, stats)
    alike = lambda t: jax.tree.structure(state['target'].get(t)) == jax.tree.structure(fresh['target'][t])
    kept = {t for t in teachers if start.get(t) != 'student' and alike(t)}
    state_of = lambda of: {t: state[of][t] if t in kept else fresh[of][t] for t in teachers}
    after = {'stats': stats, **{of: state_of(of) for of in fresh}}
    made = memories_of(params, after, key)
    same = lambda a, b: jax.tree.map(jnp.shape, a) == jax.tree.map(jnp.shape, b)
    memories = {n: state['memories'][n] if n in state['memories'] and same(state['memories'][n], m) else m for n, m in made.items()}
    return params, {**after, 'memories': memories}

  def evaluated(params, state, batch, key, step):
    """Outputs, values of each loss, and the state after the passes."""
    found, (stats, target_stats) = encode_all(params, state, batch, example_keys(key, batch))
    nets = bind(params, state['stats'])
    remembered = {name: memory.read(state['memories'][name]) for name, (memory, _) in memories.items()}
    outputs = Outputs(found, batch, nets, remembered, columns)
    fresh = lambda name: salted(jax.random.fold_in(key, step), name)
    values = {}
    for name, loss in losses.items():
      with naming(f'losses.{name}'), jax.named_scope(name):
        values[name] = judge(loss, outputs, fresh(name), step)
    return outputs, values, {**state, 'stats': stats, 'target_stats': target_stats}, fresh

  def loss(params, state, batch, key, step):
    outputs, values, state, fresh = evaluated(params, state, batch, key, step)
    total, figures = jnp.zeros(()), {}
    for name, found in values.items():
      value = mean(found)
      total += value_at(losses[name].weight, step) * value
      figures[f'{name}/loss'] = value
    for name, metric in metrics.items():
      with naming(f'metrics.{name}'):
        figures[f'metrics/{name}'] = mean(judge(metric, outputs, fresh(name), step))
    kept = {}
    for name, (memory, _) in memories.items():
      with naming(f'memories.{name}'):
        kept[name] = memory.write(state['memories'][name], *sources(name, outputs, values))
    return total, ({**state, 'memories': {**state['memories'], **jax.lax.stop_gradient(kept)}}, figures)

  def gradients(params, state, batch, key, step):
    def weighted(params):
      _, values, _, _ = evaluated(params, state, batch, key, step)
      return {name: value_at(losses[name].weight, step) * mean(value) for name, value in values.items()}

    values, pullback = jax.vjp(weighted, params)
    return {name: pullback({n: jnp.float32(n == name) for n in values})[0] for name in values}

  def after_update(params, state, step):
    if not teachers:
      return state
    follow = lambda name: teachers[name][0](state['target'][name], {n: params[n] for n in teachers[name][1]}, step)
    return {**state, 'target': {name: follow(name) for name in teachers}}

  def networks_of(params, state):
    stats = state['stats']
    if from_teacher:
      params, stats = {**params, **state['target'][from_teacher]}, {**stats, **state['target_stats'][from_teacher]}
    return bind(params, stats, train=False)

  def represent(params, state, inputs_batch, network=None, **given):
    keys = jax.random.split(jax.random.key(0), jax.tree.leaves(inputs_batch)[0].shape[0])
    (x,) = inputs(keys, inputs_batch)
    nets = networks_of(params, state)
    if (network or encoder) not in nets:
      raise ConfigError(f'no network is called {network!r}{closest(network, nets)}')
    return nets[network or encoder](x, **given)

  def watch(params, state, batch, key, step):
    outputs, _, _, _ = evaluated(params, state, batch, key, step)
    for loss in losses.values():
      if loss.assign:
        k = loss.positional[1] if loss.positional else loss.keywords['k']
        taken = {*inspect.signature(loss.assign).parameters} - {'k'}
        given = {name: outputs.array(text) for name, text in loss.keywords.items() if name in taken}
        return {'teacher': at(loss.assign, step)(first_view(outputs(k)), **given)}
    if watched:
      return {'pairs': tuple(map(outputs.array, watched))}
    for loss in losses.values():
      if loss.pairs is not None:
        q, k = (_views(outputs(text)) for text in [*loss.positional, *loss.keywords.values()][:2])
        i, j = pairs_of(loss, q, k)[0]
        return {'pairs': (q[i], k[j])} if q[i].shape == k[j].shape and q[i].ndim == 2 else {}
    return {}

  return Method(init, loss, after_update, represent, networks_of, watch, enter, gradients, inputs)


def first_view(x: Any) -> Array:
  return x[min(x)] if isinstance(x, Mapping) else x
