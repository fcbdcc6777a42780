"""The types of jssl: the components of a method.

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
Keys = jax.Array  # one typed PRNG key per example, [b]
Batch = Mapping[str, Array]  # columns, each [b ...]; always includes `example` [b] and `epoch` [b], which seed the example's keys
Params = Mapping[str, Any]  # network name -> nested dict of arrays
Metrics = dict[str, Array]
Given = tuple[Params, Params]  # parameters and statistics for the initialisation of some networks
# References in a config: an output of a pass ('views.q', 'views.q[0]', 'seen.tokens[1:]'), a column ('batch.label'), the value of a network
# ('nets.scale', 'nets.backbone.table'), the contents of a memory ('memory.queue'), or an output for all examples ('whole.views.q').
Ref = NewType('Ref', str)


class Features(NamedTuple):
  """The output of a backbone."""

  tokens: Array  # [b n d]
  pooled: Array  # [b d]
  layers: Array | None = None  # [l b n d]: hidden states from the embedding to the last block, if the network has them
  classes: Array | None = None  # [l b d]: the class token at the same places, under the last normalisation, if the network has one


class Pass(NamedTuple):
  """A forward computation of a batch, independent for each example, so that it can run in micro-batches."""

  run: Callable  # Call -> name -> [b ...], or name -> {view: [b ...]}
  gives: tuple[str, ...] | None  # the names of its outputs; None if they are those of what it draws


class Call(NamedTuple):
  """The argument of a pass."""

  nets: Mapping[str, Callable]  # the trained networks, bound to their arrays
  target: Mapping[str, Callable] | None  # the teacher's copies; None without a teacher
  batch: 'Batch'
  keys: 'Keys'
  name: str  # of the pass
  asked: Mapping[str, frozenset[int] | None]  # output -> the views that are read; None for all
  columns: Mapping[str, 'Column']  # of the data
  read: Callable[[str], Any]  # resolves a reference: 'seen.tokens', 'batch.label', 'nets.scale', 'memory.queue'

  def key(self, *purpose: str | int) -> 'Keys':
    """Keys for one purpose, one per example: 'view', 'mask', or ('encoder', 2) for the third of several."""
    return salted(self.keys, self.name, *purpose)

  def views(self, *outputs: str, of: int) -> list[int]:
    """Which of `of` views of the outputs are read, in order."""
    wanted = [self.asked[name] for name in outputs if name in self.asked]
    found = sorted({i for which in wanted for i in (range(of) if which is None else which)})
    if found and found[-1] >= of:
      raise ValueError(f'view {found[-1]} of {self.name!r} is asked for, and there are {of}, counted from 0; draw more, or correct `pairs`')
    return found


class Loss(NamedTuple):
  """An objective and its inputs."""

  objective: Callable  # (*positional, **keywords) -> [b] or scalar
  positional: tuple[str, ...]  # references, in the order of the objective's arguments
  keywords: Mapping[str, str]  # argument -> reference
  weight: Any = 1.0  # number or schedule
  pairs: Any = None  # 'all' or ((i, j), ...): views of the first two references to compare; the loss is the mean over pairs
  over: str | None = None  # 'views': the mean over the views of inputs with views
  draws: bool = False  # the objective takes a `key`
  assign: Callable | None = None  # a teacher's probabilities, by the second reference and the keywords: for the health panel


class Method(NamedTuple):
  """Networks, passes, weighted losses and teacher rules as pure functions."""

  init: Callable  # (key, given=None) -> (params, state); with the given networks
  loss: Callable  # (params, state, batch, key, step) -> (scalar, (state, metrics))
  after_update: Callable  # (params, state, step) -> state, from the updated parameters; updates teachers
  # (params, state, inputs, network=None, **given) -> Features, for evaluators and users. Uses the method's encoder unless another network is
  # named; `given` are further arguments of the network.
  represent: Callable
  networks: Callable  # (params, state) -> name -> network in evaluation mode; for evaluators that need more than features
  watch: Callable  # (params, state, batch, key, step) -> inputs of the health panel: pairs, teacher
  enter: Callable  # (params, state, key, given=None) of the previous phase -> initial (params, state)
  gradients: Callable  # (params, state, batch, key, step) -> the gradient of each weighted loss by name
  inputs: Callable  # (keys, batch) -> views: the input of `represent`


class Memory(NamedTuple):
  """State kept between steps: read by passes and losses before a step, updated from their outputs after it."""

  init: Callable  # (key, *shapes of its inputs) -> state, any pytree
  read: Callable  # state -> an array, or a dict of arrays
  write: Callable  # (state, *outputs) -> state


class Refresh(NamedTuple):
  """Columns of the training split, or an order of its examples, that are recomputed from the networks at intervals."""

  columns: Callable  # Data -> name -> shape of the entry of an example
  # (represent, networks, Data, key) -> name -> [n ...], one entry per example; 'order' [n] is not a column. `represent` takes inputs, and the
  # name of a network other than the method's encoder.
  make: Callable
  every: int = 0  # steps


@dataclass(frozen=True)
class Column:
  """A column of the data.

  Args:
    shape: shape of one example's array.
    dtype: type of its entries.
    size: number of distinct ids: vocabulary size, classes, entities. Entries are 0 to size - 1, or `pad`.
    pad: the entry for padding of a text, or for a missing label.
    mask: the id of the mask token.
    first: ids below it are special tokens: never masked, replaced or deleted.
    start: the position from which a text is predicted; earlier tokens are given.
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
    """The properties other than shape and type."""
    return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ('shape', 'dtype')}

  @property
  def length(self) -> int:
    """Length of the first axis: tokens of a text, steps of a series."""
    return self.shape[0]

  @property
  def width(self) -> int:
    """Length of the last axis: variables of a series, components of an action."""
    return self.shape[-1]

  def real(self, ids: Array) -> Array:
    """Which entries are not padding, as booleans."""
    return ids == ids if self.pad is None else ids != self.pad

  def maskable(self, ids: Array) -> Array:
    """[... n] -> [... n] bool, the tokens that may be masked: not padding, not special, and not before `start`."""
    found = self.real(ids) & (ids >= self.first)
    return found if not self.start else found & (np.arange(ids.shape[-1]) >= self.start)


class Info(TypedDict, total=False):
  """Information about a data set in addition to its columns; every key is optional."""

  name: str
  version: str
  description: str
  licence: str
  citation: str
  homepage: str
  classes: Sequence[str]  # names of the labels; `spec['label'].classes` has them too
  texts: Mapping[str, Sequence[str]]  # split -> the texts of the ids
  tokenizer: str  # how ids were made
  tokenizer_json: str  # the tokenizer itself, in the format of tokenizer.json
  tokens: Sequence[str]  # strings of a vocabulary without a tokenizer, from the first non-special id on
  words: Sequence[str]  # in the order of the split 'words'
  entities: Sequence[str]  # of a knowledge graph, by index
  relations: Sequence[str]
  similarity: Mapping[str, tuple[Any, Any]]  # name -> pairs of rows [k 2], judgements [k]
  analogies: Mapping[str, Any]  # kind -> rows [k 4]
  edges: Any  # pairs of rows [m 2] that mean the same
  split: str  # 'random' if 'train' and 'test' are a random split of the same examples, which can be drawn again
  drawn: Mapping[str, tuple[int, ...]]  # column -> shape in training batches, if it consists of random crops: (views, h, w, c)
  environment: Any  # the environment of policies, as in `envs.environments`
  play: Callable  # (policy, key, episodes) -> returns [episodes]
  mark: Callable  # answers [n t] -> which of their steps are wrong, [n k]
  shares: Sequence[float]  # of the variance that each codebook explains


class Judged(NamedTuple):
  """The evaluated parts of a data set, and their replacements for tuning."""

  carved: str | None = 'train'  # a share of this split replaces 'test'; None if tuning may read 'test', or `instead` has it
  instead: Mapping[str, str | None] = {}  # split -> the split that replaces it; None removes it
  halved: tuple[str, ...] = ()  # splits, or keys of `info`, of which tuning reads one half and final results the other


class Data(NamedTuple):
  """A data set: random-access splits of examples, each example a dict of numpy arrays."""

  splits: Mapping[str, 'Examples']  # 'train' and 'test'; evaluators take their validation split from 'train'
  spec: Mapping[str, Column]  # column -> its properties
  inputs: str  # the default input column of a backbone: 'image', 'text', 'series', ...
  info: Info  # name, licence, citation, and other information
  source: Callable | None = None  # (batch_size, seed, Method.networks, rows of this process or None) -> Source: rollouts
  judged: Judged | None = None  # required if there are splits other than 'train' and 'test', or judgements in `info`


class Source(Protocol):
  """Yields this process's share of global batches, and can be reset to an earlier position."""

  def next(self, train_state: Any) -> Batch: ...  # data sets ignore the state; rollouts act with its policy
  def batch(self, step: int) -> Batch: ...  # batch number `step`, or a similar one by an untrained policy, for the health panel
  def save(self) -> dict: ...  # JSON-compatible argument of `restore`, opaque to others
  def restore(self, state: Mapping[str, Any]) -> None: ...

  # def reorder(self, order: np.ndarray | None) -> None, if a refresh of the config computes an order


class Examples(Protocol):
  """Random access to examples, such as a list of dicts. An optional `take(rows [b]) -> column -> [b ...]` reads several at once."""

  def __len__(self) -> int: ...
  def __getitem__(self, index: int) -> Mapping[str, Any]: ...


# Types of options that are names in a config: the type determines the table in which a name is looked up.
Objective = NewType('Objective', Callable)  # (q: [b d], k: [b d], *, ...) -> [b]; a scalar only if the formula does not separate
View = NewType('View', Callable)  # (Keys, Batch) -> a tuple of arrays, one per view
Sampler = NewType('Sampler', Callable)  # (Keys, Batch) -> name -> array: words and their contexts, positions, masked cells
Mask = NewType('Mask', Callable)  # (Keys, *, grid) -> masked patches of a grid
TokenMask = NewType('TokenMask', Callable)  # (Keys, tokens that may be masked [b n]) -> masked tokens
StepMask = NewType('StepMask', Callable)  # (Keys, x [b n ...]) -> masked steps of a series, or masked entries
Noise = NewType('Noise', Callable)  # (Keys, x) -> x with a random level of noise
Negatives = NewType('Negatives', Callable)  # (Keys, Batch, entities=...) -> negatives of an example
Estimator = NewType('Estimator', Callable)  # (columns of a nuisance) -> weights of its two values, [b] each
Optimizer = NewType('Optimizer', Callable)  # (learning_rate) -> optax.GradientTransformation, with its other options bound
Teacher = Callable[[Params, Params, Array], Params]  # (teacher, student, step) -> teacher
Evaluator = Callable[..., dict[str, float]]  # (subject, key, *, options) -> figures


class Transform(NamedTuple):
  """A transform of features that is not trained by gradient descent."""

  fit: Callable  # (features, labels) -> pytree; with `networks` (represent, Data) -> pytree
  apply: Callable  # (pytree, features) -> features; with `networks` (represent, pytree, inputs) -> Features
  labels: str = 'label'  # the column of the data with the labels for `fit`, if there is one
  networks: bool = False  # it is applied before the network, not after it: `represent` is that of the method, with its options


class Loop(NamedTuple):
  """A system that is not trained with one loss per step, as named steps: each computes a state, a pytree of arrays, from earlier ones."""

  steps: Sequence[tuple[str, Callable]]  # name, (states by name) -> state
  rows: Callable  # states by name -> row -> metric -> number; the system's own row has its name


def fold(keys: Array, data: int | Array) -> Array:
  """`jax.random.fold_in` for one key or an array of them."""
  if keys.ndim == 0:
    return jax.random.fold_in(keys, data)
  return jax.vmap(jax.random.fold_in, (0, None))(keys, data)


def tag(name: str | int) -> int:
  """A number that represents a name in a random stream, the same in every process and version."""
  return name if isinstance(name, int) else zlib.crc32(name.encode()) & 0x7FFFFFFF


def salted(keys: Array, *path: str | int) -> Array:
  """Keys for a path of names and numbers, independent of those of other paths."""
  for name in path:
    keys = fold(keys, tag(name))
  return keys
