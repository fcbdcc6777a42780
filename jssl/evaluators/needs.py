"""Requirements of protocols on their subject, checked before anything is computed.

Needs are named like references in a config: 'test.label' is a column of a split, 'info.start' an entry of the data's `info`,
'nets.backbone.table' an attribute of a network, 'memory.queue' a memory, 'layers' the states of every layer in the features. In
'{split}.label', {split} is replaced by the value of that option, with one need for each of several values, and '{inputs}' by the input column
of the backbone. '... if OPTION' applies only if that option is given.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import jax
import numpy as np

from jssl.evaluators.subject import Subject
from jssl.types import Data, Features

# Options of protocols that are counts or weights, for every protocol that has them; each is a single value or a tuple.
COUNTS = (
  'ks', 'shots', 'updates', 'clusters', 'restarts', 'episodes', 'examples', 'pairs', 'draws', 'trees', 'depth', 'keep', 'batch_size', 'dims',
  'texts', 'epochs', 'layers',
)  # fmt: skip
WEIGHTS = ('temperature', 'l2', 'ridge', 'tau', 'learning_rates')
SEVERAL = ('ks', 'shots', 'seeds', 'l2', 'learning_rates', 'weight_decays', 'layers', 'pools', 'doses', 'columns', 'towers')


# Needs that several protocols share.
TRAIN, TEST = ('train.{inputs}', 'train.label'), ('test.{inputs}', 'test.label')
STIMULI = ('stimuli.{inputs}', 'stimuli.label', *TRAIN, *TEST, 'layers')
PAIRS = ('test.chosen', 'test.rejected')


def of_options(judge: Callable, options: Mapping[str, Any]) -> dict[str, Any]:
  """All options of a judge: the given ones, and defaults for the others."""
  parameters = inspect.signature(judge).parameters.values()
  return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty} | dict(options)


def named(needs: Sequence[str], options: Mapping[str, Any], inputs: str) -> list[str]:
  """The needs that apply for these options."""
  found = []
  for need in needs:
    need, _, condition = need.partition(' if ')
    if condition and not options[condition]:
      continue
    if option := re.search(r'{(\w+)}', need):
      value = inputs if option[1] == 'inputs' else options[option[1]]
      several = [x for x in value if x is not None] if isinstance(value, list | tuple) else [value]
      found += named([need.replace(option[0], str(x)) for x in several], options, inputs)
    else:
      found.append(need)
  return list(dict.fromkeys(found))


def encoded(judges: Iterable[Callable], data: Data) -> set[str]:
  """The splits whose inputs the given protocols encode."""
  asked = [need for judge in judges for need in named(judge.func.needs, of_options(judge.func.judge, judge.keywords), data.inputs)]
  return {need.split('.')[0] for need in asked if need.endswith(f'.{data.inputs}')} & data.splits.keys()


def lacks(needs: Sequence[str], subject: Subject) -> Iterator[str]:
  """Yields a clause for each of these needs that a subject does not meet."""
  data, told = subject.data, set()
  for need in needs:
    source, *path = need.split('.')
    if source == 'layers':
      clause = '' if layers(subject) else 'this network does not give the states of its layers; choose a transformer'
    elif source == 'info':
      clause = '' if path[0] in data.info else f'the data set has no {path[0]!r} in its info, but {_few(data.info)}'
    elif source == 'nets':
      name, has = path[0], path[1:]
      if name not in subject.networks:
        clause = f'there is no network {name!r}, but {_few(subject.networks)}'
      else:
        net = subject.networks[name]  # a property of a network without arrays cannot be evaluated
        clause = '' if all(hasattr(type(net), x) or hasattr(net, x) for x in has) else f'the network {name!r} has no `{has[0]}`'
    elif source == 'memory':
      clause = '' if path[0] in subject.memories else f'there is no memory {path[0]!r}, but {_few(subject.memories)}'
    elif source not in data.splits:
      clause = f'the data have no split {source!r}, but {_few(data.splits)}'
    elif not len(data.splits[source]):
      clause = f'the split {source!r} is empty'
    else:
      there = data.splits[source][0]
      clause = '' if not path or path[0] in there else f'the split {source!r} has no column {path[0]!r}, but {_few(there)}'
    if clause and clause not in told:
      told.add(clause)
      yield clause


def wrong(options: Mapping[str, Any]) -> Iterator[str]:
  """Yields a clause for each option value that no protocol can use."""
  for name, value in options.items():
    several = value if isinstance(value, list | tuple) else [value]
    if name in SEVERAL and isinstance(value, list | tuple) and not value:
      yield f'{name} is empty; name at least one'
    for x in several:
      if x is None or isinstance(x, str) and name in ('pairs', 'texts'):  # None if allowed; `sts` gives names of splits
        continue
      if name in COUNTS and (not isinstance(x, Integral) or isinstance(x, bool) or x < 1):
        yield f'{name} must be a whole number of at least 1, not {x!r}'
      elif name == 'weight_decays' and not (isinstance(x, Real) and 0 <= x < np.inf):
        yield f'weight_decays must be numbers of at least 0, not {x!r}'
      elif name in WEIGHTS and not (isinstance(x, Real) and 0 < x < np.inf):
        yield f'{name} must be a number above 0, not {x!r}'
      elif name == 'seeds' and (not isinstance(x, Integral) or not 0 <= x < 2**32):
        yield f'seeds must be whole numbers from 0 on, not {x!r}'


# --- Other requirements: (subject, options) -> clauses -----------------------------------------------------------------


def classes(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """Labels of 'train' and 'test' must be class indices, and some class must have an example to hold out."""
  for split in ('train', 'test'):
    label = np.asarray(subject.data.splits[split][0]['label'])
    if label.size != 1 or label.dtype.kind not in 'iu':
      yield f'the labels of {split!r} are {label.dtype} {list(label.shape)}; expected one class index from 0 up an example'
      return
  known = _labels(subject)
  clusters = options.get('clusters')
  if known is not None and known.min() < 0:
    yield f"the labels of 'train' begin at {known.min()}; expected class indices from 0 up"
  if clusters and clusters > (n := len(subject.data.splits['train'])):
    yield f'clusters is {clusters}, more than the {n} training examples; ask for fewer'


def held_out(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """As `classes`; also, some class must have an example to choose options on."""
  yield from classes(subject, options)
  known = _labels(subject)
  if known is not None and len(np.unique(known)) == known.size:
    yield f"the labels of 'train' are {known.size}, no two alike; expected a class with two examples or more, of which one is held out"


def within(subject: Subject, options: Mapping[str, Any], above: int = 0) -> Iterator[str]:
  """`layer` must exist; `above` is the number of states before the first layer that it may select."""
  layer, most = options['layer'], layers(subject) - above
  if not isinstance(layer, Integral) or not 0 <= layer < most:
    yield f'layer is {layer!r}; the network has {most}, counted from 0'


def entities(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """The embedding table must have one vector for each entity."""
  n, name = subject.data.spec['head'].size, options['entities']
  if (count := getattr(subject.networks[name], 'count', 'no table')) != n:
    yield f'the data have {n} entities, but {name!r} holds {count}: set its count to {n}'


def actions(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """For discrete actions, the environment must give their number."""
  if np.asarray(subject.data.splits['train'][0]['action']).dtype.kind in 'iu' and 'environment' not in subject.data.info:
    yield 'the actions are numbered, and the data set has no environment in its info that tells how many there are'


def starts(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """The texts must specify where the generated part starts."""
  name = 'chosen' if 'chosen' in subject.data.spec else 'ids'
  if subject.data.spec[name].start < 1:
    yield f'the column {name!r} does not say where what is written begins; give it a start, facts=dict({name}=dict(start=...))'


def pieces(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """The embedding table must have one vector for each subword."""
  n = subject.data.spec[subject.data.inputs].size or 0
  if (count := getattr(subject.networks.get('backbone'), 'count', n)) < n:
    yield f'words have {n} pieces, but the backbone holds {count} vectors: set backbone.count={n}'


def modalities(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """There must be one tower and one head for each column."""
  counts = {name: len(options[name]) for name in ('columns', 'towers', 'heads')}
  if len({*counts.values()}) > 1 or counts['columns'] < 2:
    yield f'columns, towers and heads are {list(counts.values())}; expected as many of each, and two at least'


def one_view(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """`view`, if it is given, must give one view of the input column."""
  if options['view'] is not None:
    found = jax.eval_shape(lambda batch: options['view'](jax.random.split(jax.random.key(0), 1), batch), _one_input(subject))
    if len(found) != 1:
      yield f'view gives {len(found)} views; expected one: set view.views=1'


def features(subject: Subject) -> Features:
  """The shapes of the features of one example."""
  return jax.eval_shape(subject.represent, _one_input(subject))


def layers(subject: Subject) -> int:
  """Number of layers, including the embedding, in the features of a subject; 0 if they have none."""
  found = features(subject).layers
  return 0 if found is None else len(found)


def _one_input(subject: Subject) -> dict[str, jax.ShapeDtypeStruct]:
  x = subject.data.spec[subject.data.inputs]
  return {subject.data.inputs: jax.ShapeDtypeStruct((1, *x.shape), x.dtype)}


def _labels(subject: Subject) -> np.ndarray | None:
  """The labels of 'train' if they are in memory: reading all records would take too long."""
  columns = getattr(subject.data.splits['train'], 'columns', None)
  return columns['label'] if isinstance(columns, Mapping) else None


def _few(names: Any) -> str:
  names = sorted(map(str, names))
  more = f' and {len(names) - 12} more' if len(names) > 12 else ''
  return f'{", ".join(names[:12])}{more}' if names else 'none'
