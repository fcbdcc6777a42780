"""The vocabulary of jssl: what a method is made of, as types.

Shapes are written b (batch), n (tokens), d (features), h w c (height, width, channels), t (time), v (views), l (layers).
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, NewType, Protocol, TypedDict

import jax
import numpy as np

Array = jax.Array
Key = jax.Array  # a typed PRNG key, []
Keys = jax.Array  # one typed PRNG key an example, [b]
Batch = Mapping[str, Array]  # columns, each [b ...]; always with `example` [b] and `epoch` [b], which seed the example's keys
Params = Mapping[str, Any]  # network name -> nested dict of arrays
Metrics = dict[str, Array]
Given = tuple[Params, Params]  # parameters and statistics that some networks begin with
# In a config: an output of a pass ('views.q', 'views.q[0]', 'seen.tokens[1:]'), a column ('batch.label'), the value of a network
# ('nets.scale', 'nets.backbone.table'), what a memory holds ('memory.queue'), or an output for all examples ('whole.views.q').
Ref = NewType('Ref', str)


class Features(NamedTuple):
  """What a backbone makes of its input."""

  tokens: Array  # [b n d]
  pooled: Array  # [b d]
  layers: Array | None = None  # [l b n d]: hidden states from the embedding to the last block, where the network has them


class Pass(NamedTuple):
  """A way of a batch through the networks, example by example, so that it may run in micro-batches."""

  run: Callable  # Call -> name -> [b ...], or name -> {view: [b ...]}
  gives: tuple[str, ...] | None  # the names of its outputs; None where they are those of what it draws


class Call(NamedTuple):
  """What a pass is called with."""

  nets: Mapping[str, Callable]  # the trained networks, bound to their arrays
  target: Mapping[str, Callable] | None  # the teacher's copies; None where there is no teacher
  batch: 'Batch'
  keys: 'Keys'
  name: str  # of the pass
  asked: Mapping[str, frozenset[int] | None]  # output -> which of its views are read; None for all of them
  columns: Mapping[str, 'Column']  # of the data
  read: Callable[[str], Any]  # what a reference stands for: 'seen.tokens', 'batch.label', 'nets.scale', 'memory.queue'

  def key(self, *purpose: str | int) -> 'Keys':
    """Keys for one purpose, one an example: 'view', 'mask', or ('encoder', 2) for the third of several."""
    return salted(self.keys, self.name, *purpose)

  def views(self, *outputs: str, of: int) -> list[int]:
    """Which of `of` views of the outputs are read, in order."""
    wanted = [self.asked[name] for name in outputs if name in self.asked]
    found = sorted({i for which in wanted for i in (range(of) if which is None else which)})
    if found and found[-1] >= of:
      raise ValueError(f'view {found[-1]} of {self.name!r} is asked for, and there are {of}, counted from 0; draw more, or correct `pairs`')
    return found


class Loss(NamedTuple):
  """An objective and the outputs that it judges."""

  objective: Callable  # (*positional, **keywords) -> [b] or scalar
  positional: tuple[str, ...]  # references, in the order of the objective's arguments
  keywords: Mapping[str, str]  # argument -> reference
  weight: Any = 1.0  # number or schedule
  pairs: Any = None  # 'all' or ((i, j), ...): views of the first two references that are compared, the mean over them
  over: str | None = None  # 'views': the mean over the views of what has views
  draws: bool = False  # the objective takes a `key`
  assign: Callable | None = None  # a teacher's probabilities, by the second reference and the keywords: for the health panel


class Method(NamedTuple):
  """Networks, passes, weighted losses and teacher rules, flattened to pure functions."""

  init: Callable  # (key, given=None) -> (params, state); with the networks that are given
  loss: Callable  # (params, state, batch, key, step) -> (scalar, (state, metrics))
  after_update: Callable  # (params, state, step) -> state; the only place that sees the new parameters: teachers live here
  # (params, state, inputs, network=None, **given) -> Features; what evaluators and users call. By the method's encoder unless another
  # network is named; `given` is what it takes beside its input.
  represent: Callable
  networks: Callable  # (params, state) -> name -> network in evaluation mode; for evaluators that need more than features
  watch: Callable  # (params, state, batch, key, step) -> what the health panel looks at: pairs, teacher
  enter: Callable  # (params, state, key, given=None) of the phase before -> (params, state) to go on from
  gradients: Callable  # (params, state, batch, key, step) -> the gradient of each weighted loss by name
  inputs: Callable  # (keys, batch) -> views: what `represent` reads


class Memory(NamedTuple):
  """What is kept between steps: read by passes and losses before a step, written from their outputs after it."""

  init: Callable  # (key, *shapes of what it is written from) -> state, any pytree
  read: Callable  # state -> an array, or a dict of arrays
  write: Callable  # (state, *outputs) -> state


class Refresh(NamedTuple):
  """Columns of the training split, or an order of its examples, that are made anew from the networks every so many steps."""

  columns: Callable  # Data -> name -> shape of an example's entry
  # (represent, networks, Data, key) -> name -> [n ...], an entry an example; 'order' [n] is no column. `represent` takes inputs, and a
  # network's name where it is not the method's encoder.
  make: Callable
  every: int = 0  # steps


@dataclass(frozen=True)
class Column:
  """What every example has under one name.

  Args:
    shape: of one example's array.
    dtype: of its entries.
    size: how many things the entries number: tokens of a vocabulary, classes, entities. Entries are 0 to size - 1, or `pad`.
    pad: the entry that stands for nothing: padding of a text, no label.
    mask: the id of a hidden token.
    first: ids below it are special tokens: never hidden, replaced or left out.
    start: the place from which a text is predicted; what stands before it is given.
    classes: names of the entries, in order.
  """

  shape: tuple[int, ...]
  dtype: Any
  size: int | None = None
  pad: int | None = None
  mask: int | None = None
  first: int = 0
  start: int = 0
  classes: tuple[str, ...] = ()

  def __post_init__(self):
    object.__setattr__(self, 'shape', tuple(self.shape))
    object.__setattr__(self, 'dtype', np.dtype(self.dtype))
    object.__setattr__(self, 'classes', tuple(self.classes))
    if self.classes and self.size is None:
      object.__setattr__(self, 'size', len(self.classes))

  @property
  def facts(self) -> dict[str, Any]:
    """What is known in addition to shape and type."""
    return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ('shape', 'dtype')}

  @property
  def length(self) -> int:
    """Of the first axis: tokens of a text, steps of a series."""
    return self.shape[0]

  @property
  def width(self) -> int:
    """Of the last axis: variables of a series, numbers in an action."""
    return self.shape[-1]

  def real(self, ids: Array) -> Array:
    """Which entries are no padding, as booleans."""
    return ids == ids if self.pad is None else ids != self.pad

  def maskable(self, ids: Array) -> Array:
    """[... n] -> [... n] bool, the tokens that may be hidden: no padding, not special, and not before `start`."""
    found = self.real(ids) & (ids >= self.first)
    return found if not self.start else found & (np.arange(ids.shape[-1]) >= self.start)


class Info(TypedDict, total=False):
  """What is known of a data set in addition to its columns; every key may be missing."""

  name: str
  version: str
  description: str
  licence: str
  citation: str
  homepage: str
  classes: Sequence[str]  # names of the labels; `spec['label'].classes` has them too
  texts: Mapping[str, Sequence[str]]  # split -> the texts that ids were made of
  tokenizer: str  # how ids were made
  tokenizer_json: str  # the tokenizer itself, as a file tokenizer.json has it
  tokens: Sequence[str]  # strings of a vocabulary that no tokenizer made, from the first id that is not special on
  words: Sequence[str]  # in the order of the split 'words'
  entities: Sequence[str]  # of a knowledge graph, by number
  relations: Sequence[str]
  similarity: Mapping[str, tuple[Any, Any]]  # name -> pairs of rows [k 2], judgements [k]
  analogies: Mapping[str, Any]  # kind -> rows [k 4]
  edges: Any  # pairs of rows [m 2] that mean the same
  split: str  # 'random' where 'train' and 'test' were drawn at random from the same examples, and could be drawn anew
  drawn: Mapping[str, tuple[int, ...]]  # column -> shape in batches of training, where it is random crops: (views, h, w, c)
  environment: Any  # where policies play, as in `envs.environments`
  play: Callable  # (policy, key, episodes) -> returns [episodes]
  mark: Callable  # answers [n t] -> which of their steps are wrong, [n k]
  shares: Sequence[float]  # of the variance that each codebook explains


class Judged(NamedTuple):
  """What of a data set figures are judged on, and what takes its place while a system is tuned."""

  carved: str | None = 'train'  # a share of this split takes the place of 'test'; None where tuning may read 'test', or `instead` has it
  instead: Mapping[str, str | None] = {}  # split -> the split that takes its place; None takes it away
  halved: tuple[str, ...] = ()  # splits, or keys of `info`, of which tuning reads one half and final figures the other


class Data(NamedTuple):
  """A data set: random-access splits of examples, each example a dict of numpy arrays."""

  splits: Mapping[str, 'Examples']  # 'train' and 'test'; evaluators carve their validation split out of 'train'
  spec: Mapping[str, Column]  # column -> what one example has there
  inputs: str  # the column a backbone reads unless it says otherwise: 'image', 'text', 'series', ...
  info: Info  # name, licence, citation, and what belongs to no column
  source: Callable | None = None  # (batch_size, seed, Method.networks, rows of this process or None) -> Source: rollouts
  judged: Judged | None = None  # needed where there are splits beside 'train' and 'test', or judgements in `info`


class Source(Protocol):
  """Gives the global batch's share of this process, and can go back to where it was."""

  def next(self, train_state: Any) -> Batch: ...  # data sets do not look at the state; rollouts act with its policy
  def batch(self, step: int) -> Batch: ...  # number `step`, or one like it by an untrained policy: what the health panel looks at
  def save(self) -> dict: ...  # what `restore` asks for, and JSON can hold; nobody else looks into it
  def restore(self, state: Mapping[str, Any]) -> None: ...

  # def reorder(self, order: np.ndarray | None) -> None, where a refresh of the config makes an order


class Examples(Protocol):
  """Random access: a list of dicts will do. Where there is `take(rows [b]) -> column -> [b ...]` too, several are read by it."""

  def __len__(self) -> int: ...
  def __getitem__(self, index: int) -> Mapping[str, Any]: ...


# What an option of one of these types names in a config: the type tells which table the name is looked up in.
Objective = NewType('Objective', Callable)  # (q: [b d], k: [b d], *, ...) -> [b]; a scalar only where the formula is inseparable
View = NewType('View', Callable)  # (Keys, Batch) -> a tuple of arrays, one a view
Sampler = NewType('Sampler', Callable)  # (Keys, Batch) -> name -> array: words and their contexts, places, hidden cells
Mask = NewType('Mask', Callable)  # (Keys, *, grid) -> which patches of a grid are hidden
TokenMask = NewType('TokenMask', Callable)  # (Keys, which tokens may be hidden [b n]) -> which are
StepMask = NewType('StepMask', Callable)  # (Keys, x [b n ...]) -> which steps of a series, or their entries, are hidden
Noise = NewType('Noise', Callable)  # (Keys, x) -> x at a level of noise that is drawn
Negatives = NewType('Negatives', Callable)  # (Keys, Batch, entities=...) -> what stands against an example
Estimator = NewType('Estimator', Callable)  # (columns of a nuisance) -> weights of its two values, [b] each
Teacher = Callable[[Params, Params, Array], Params]  # (teacher, student, step) -> teacher
Evaluator = Callable[..., dict[str, float]]  # (subject, key, *, options) -> figures


class Transform(NamedTuple):
  """A system that never trains by gradient."""

  fit: Callable  # (features, labels) -> pytree; with `networks` (represent, Data) -> pytree
  apply: Callable  # (pytree, features) -> features; with `networks` (represent, pytree, inputs) -> Features
  labels: str = 'label'  # the column of the data that `fit` is given as labels, where there is one
  networks: bool = False  # it stands before the network and not behind it: `represent` is that of the method, with its options


class Loop(NamedTuple):
  """A system that does not fit one loss a step, as named steps: each makes a state, a pytree of arrays, from those before it."""

  steps: Sequence[tuple[str, Callable]]  # name, (states by name) -> state
  rows: Callable  # states by name -> row -> figure -> number; the system's own row has its name


def fold(keys: Array, data: int | Array) -> Array:
  """`jax.random.fold_in` for one key or an array of them."""
  if keys.ndim == 0:
    return jax.random.fold_in(keys, data)
  return jax.vmap(jax.random.fold_in, (0, None))(keys, data)


def tag(name: str | int) -> int:
  """A number that stands for a name in a random stream, the same in every process and version."""
  return name if isinstance(name, int) else zlib.crc32(name.encode()) & 0x7FFFFFFF


def salted(keys: Array, *path: str | int) -> Array:
  """Keys of their own for what a path of names, and numbers, stands for."""
  for name in path:
    keys = fold(keys, tag(name))
  return keys
