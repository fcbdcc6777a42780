"""The graph of passes: references to outputs, the order of passes, and the outputs that are needed."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx

from jssl.errors import ConfigError
from jssl.options import closest
from jssl.types import Array, Pass

SOURCES = ('batch', 'nets', 'memory', 'loss')  # what a reference may begin with, other than the name of a pass
_PATTERN = re.compile(r'(whole\.)?([A-Za-z_]\w*)\.([A-Za-z_]\w*(?:\.\w+)*)(?:\[(-?\d+|-?\d*:-?\d*)\])?')


class Reference(NamedTuple):
  """A parsed reference: 'views.q[0]' is the first view of output q of the pass `views`."""

  text: str
  whole: bool  # refers to all examples of the batch, not to those of one micro-batch
  source: str  # a pass, or one of SOURCES
  name: str  # of the output, the column, ...; dots select nested entries
  index: int | slice | None  # of a view, or along the second axis


class Node(NamedTuple):
  """A named pass of a method, with its inputs and options."""

  name: str
  kind: str  # name in the table, for error messages
  run: Pass
  reads: tuple[str, ...] = ()
  frozen: tuple[str, ...] = ()  # networks that pass gradients on but receive none
  teacher: str | None = None  # the teacher whose copies of the networks are used as `target`


class Graph(NamedTuple):
  """The passes to run, stage by stage, in an order in which every output exists before it is read."""

  stages: tuple[tuple[Node, ...], ...]
  asked: Mapping[str, Mapping[str, frozenset[int] | None]]  # pass -> output -> the views that are read; None for all
  kept: tuple[Mapping[str, frozenset[str]], ...]  # for each stage: pass -> outputs that are read after it


def parse(text: Any, place: str) -> Reference:
  """Parses a reference from a config.

  Raises:
    ConfigError: if it is not a valid reference.
  """
  found = _PATTERN.fullmatch(text) if isinstance(text, str) else None
  if not found:
    raise ConfigError(
      f"{place}: {text!r} refers to nothing; write 'PASS.OUTPUT', 'PASS.OUTPUT[VIEW]', 'batch.COLUMN', 'nets.NAME' or 'memory.NAME'"
    )
  whole, source, name, index = found.groups()
  if index is not None:
    index = slice(*(int(part) if part else None for part in index.split(':'))) if ':' in index else int(index)
  return Reference(text, bool(whole), source, name, index)


def arrange(nodes: Mapping[str, Node], wanted: Iterable[tuple[str, str, frozenset[int] | None]], columns: Iterable[str],
            networks: Iterable[str], memories: Iterable[str]) -> Graph:  # fmt: skip
  """Builds the graph of the passes that the wanted outputs need.

  Args:
    nodes: passes by name.
    wanted: (place in the config, reference, the views that are read or None for all).
    columns, networks, memories: other names that references may use.

  Raises:
    ConfigError: if a reference does not resolve, or passes depend on each other in a cycle.
  """
  known = dict(batch=sorted(columns), nets=sorted(networks), memory=sorted(memories))
  asked: dict[str, dict[str, frozenset[int] | None]] = {}
  outside: dict[str, set[str]] = {}  # outputs that are read outside passes

  def check(place: str, ref: Reference) -> None:
    if ref.source in known:
      first = ref.name.split('.')[0]
      if first not in known[ref.source]:
        what = dict(batch='column', nets='network', memory='memory')[ref.source]
        raise ConfigError(f'{place}: {ref.text}: no {what} is called {first!r}{closest(first, known[ref.source])}')
    elif ref.source == 'loss':
      raise ConfigError(f'{place}: {ref.text}: only memories are written from what a loss comes to')
    elif ref.source not in nodes:
      raise ConfigError(f'{place}: {ref.text}: no pass is called {ref.source!r}{closest(ref.source, [*nodes, *SOURCES])}')
    elif (gives := nodes[ref.source].run.gives) is not None and ref.name not in gives:
      pass_ = f'the pass {ref.source!r} ({nodes[ref.source].kind})'
      raise ConfigError(f'{place}: {ref.text}: {pass_} gives {", ".join(gives)}{_near(ref.name, gives)}')

  def ask(place: str, ref: Reference, views: frozenset[int] | None) -> None:
    check(place, ref)
    if ref.source in known:
      return
    if ref.index is not None:  # a negative index or a slice is resolved once all views are known
      views = frozenset([ref.index]) if isinstance(ref.index, int) and ref.index >= 0 else None
    of = asked.setdefault(ref.source, {})
    before = of.get(ref.name, frozenset())
    after = None if views is None or before is None else before | views
    if ref.name in of and after == before:
      return
    new = not of
    of[ref.name] = after
    if new:
      for text in nodes[ref.source].reads:
        ask(f'passes.{ref.source}', parse(text, f'passes.{ref.source}'), None)

  for place, text, views in wanted:
    ask(place, ref := parse(text, place), views)
    if ref.source in nodes:
      outside.setdefault(ref.source, set()).add(ref.name)

  stage: dict[str, int] = {}

  def visit(name: str, above: tuple[str, ...]) -> int:
    if name in above:
      raise ConfigError(f'passes.{name}: passes read each other in a circle: {" -> ".join([*above[above.index(name) :], name])}')
    if name not in stage:
      at = 0
      for ref in (parse(text, f'passes.{name}') for text in nodes[name].reads):
        if ref.source in nodes:
          at = max(at, visit(ref.source, (*above, name)) + ref.whole)
      stage[name] = at
    return stage[name]

  for name in nodes:  # in config order, dependencies first
    if name in asked:
      visit(name, ())
  count = 1 + max(stage.values(), default=0)
  stages = tuple(tuple(nodes[name] for name in stage if stage[name] == i) for i in range(count))
  kept = []
  for i in range(count):
    later = {name: set(names) for name, names in outside.items()}
    for name in stage:
      for ref in (parse(text, name) for text in nodes[name].reads):
        if ref.source in nodes and stage[name] > i:
          later.setdefault(ref.source, set()).add(ref.name)
    kept.append({name: frozenset(names) for name, names in later.items() if stage[name] <= i})
  return Graph(stages, asked, tuple(kept))


def reached(nodes: Mapping[str, Node], refs: Iterable[str]) -> set[str]:
  """The passes that the given references need."""
  found: set[str] = set()
  left = list(refs)
  while left:
    source = parse(left.pop(), 'passes').source
    if source in nodes and source not in found:
      found.add(source)
      left += nodes[source].reads
  return found


def part(graph: Graph, refs: Iterable[str]) -> Graph:
  """The subgraph that the given references need."""
  names = reached({node.name: node for nodes in graph.stages for node in nodes}, refs)
  kept = tuple({name: outputs for name, outputs in of.items() if name in names} for of in graph.kept)
  return graph._replace(stages=tuple(tuple(n for n in nodes if n.name in names) for nodes in graph.stages), kept=kept)


def memories_read(nodes: Iterable[Node]) -> set[str]:
  """The memories that passes read."""
  refs = (parse(text, node.name) for node in nodes for text in node.reads)
  return {ref.name.split('.')[0] for ref in refs if ref.source == 'memory'}


def look(ref: Reference, *, outputs: Mapping, batch: Mapping, nets: Mapping, memories: Mapping, whole: Mapping | None = None) -> Any:
  """Resolves a reference: an array, or {view: array} for all views of an output with views."""
  if ref.source == 'batch':
    of = whole['batch'] if ref.whole and whole is not None else batch
    return select(of[ref.name], ref.index)
  if ref.source == 'nets':
    first, *rest = ref.name.split('.')
    value = nets[first] if rest else nets[first]()
    for name in rest:
      value = getattr(value, name)
    value = value[...] if isinstance(value, nnx.Variable) else value
    return value if ref.index is None else value[ref.index]
  if ref.source == 'memory':
    first, *rest = ref.name.split('.')
    value = memories[first]
    for name in rest:
      value = value[name]
    return value if ref.index is None else value[ref.index]
  found = (whole if ref.whole and whole is not None else outputs)[ref.source]
  if ref.name not in found:
    raise ConfigError(f'{ref.text}: the pass {ref.source!r} gives {", ".join(sorted(found))}{_near(ref.name, found)}')
  return select(found[ref.name], ref.index)


def select(value: Any, index: int | slice | None) -> Any:
  """Selects a view of an output with views, or an entry along the second axis of an array."""
  if index is None:
    return value
  if isinstance(value, Mapping):
    views = sorted(value)
    return {i: value[i] for i in views[index]} if isinstance(index, slice) else value[index if index >= 0 else views[index]]
  return value[:, index]


def stacked(value: Any) -> Array:
  """Stacks the views of an output into one array, [b v ...]; returns an array unchanged."""
  return jnp.stack([value[i] for i in sorted(value)], 1) if isinstance(value, Mapping) else value


def _near(name: str, known: Iterable[str]) -> str:
  hint = closest(name, known)
  return hint if 'did you mean' in hint else ''
