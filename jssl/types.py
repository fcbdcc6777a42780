"""The vocabulary of jssl: what a method is made of, as types.

Shapes are written b (batch), n (tokens), d (features), h w c (height, width, channels), t (time), v (views), l (layers).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax

Array = jax.Array
Key = jax.Array  # a typed PRNG key, []
Keys = jax.Array  # one typed PRNG key an example, [b]
Batch = Mapping[str, Array]  # columns, each [b ...]; always with `example` [b] and `epoch` [b], which seed the example's keys
Params = Mapping[str, Any]  # network name -> nested dict of arrays
Metrics = dict[str, Array]


class Features(NamedTuple):
  """What a backbone makes of its input."""

  tokens: Array  # [b n d]
  pooled: Array  # [b d]
  layers: Array | None = None  # [l b n d]: hidden states from the embedding to the last block, where the network has them


class Term(NamedTuple):
  """A training shape: how a batch runs through the networks, and how what comes out is judged.

  `encode` works example by example, with one key an example, so it may run in micro-batches; `judge` sees the
  whole global batch. The split is what makes accumulation exact for objectives that couple examples.
  """

  init: Callable  # (key, encoded: shapes) -> state kept between steps: queue, centre, counts; {} for most
  encode: Callable  # (nets, target, batch, keys) -> encoded: a pytree of [b ...]
  judge: Callable  # (nets, encoded, state, key, step) -> (scalar, (state, metrics))
  watch: Callable = lambda encoded, state, step: {}  # -> pairs and teacher, as the health panel takes them, where there are any


class Method(NamedTuple):
  """Networks, weighted terms and one teacher rule, flattened to six pure functions."""

  init: Callable  # key -> (params, state)
  loss: Callable  # (params, state, batch, key, step) -> (scalar, (state, metrics))
  after_update: Callable  # (params, state, step) -> state; the only place that sees the new parameters: teachers live here
  represent: Callable  # (params, state, inputs) -> Features; what evaluators and users call
  networks: Callable  # (params, state) -> name -> network in evaluation mode; for evaluators that need more than features
  watch: Callable  # (params, state, batch, key, step) -> term name -> what the health panel looks at


class Memory(NamedTuple):
  """What a term remembers between steps, handed to its objective as keyword arguments."""

  init: Callable  # (key, encoded: shapes) -> state
  read: Callable  # state -> dict of keyword arguments for the objective: negatives, centre, support
  write: Callable  # (state, encoded) -> state


class Data(NamedTuple):
  """A data set: random-access splits of examples, each example a dict of numpy arrays."""

  splits: Mapping[str, "Examples"]  # 'train' and 'test'; evaluators carve their validation split out of 'train'
  spec: Mapping[str, jax.ShapeDtypeStruct]  # column -> shape and dtype of one example
  inputs: str  # the column a backbone reads unless it says otherwise: 'image', 'text', 'series', ...
  info: Mapping[str, Any]  # classes, vocabulary (number of token ids), licence, citation, ...
  source: Callable | None = None  # (batch_size, seed, Method.networks, rows of this process or None) -> Source: rollouts


class Source(Protocol):
  """Gives the global batch's share of this process, and can go back to where it was."""

  def next(self, train_state: Any) -> Batch: ...  # data sets do not look at the state; rollouts act with its policy
  def batch(self, step: int) -> Batch: ...  # number `step`, by an untrained policy: what the health panel looks at
  def save(self) -> dict: ...  # what JSON can hold
  def restore(self, state: Mapping[str, Any]) -> None: ...


class Examples(Protocol):
  """Random access: a list of dicts will do."""

  def __len__(self) -> int: ...
  def __getitem__(self, index: int) -> Mapping[str, Any]: ...


Objective = Callable[..., Array]  # (q: [b d], k: [b d], *, ...) -> [b]; a scalar only where the formula is inseparable
View = Callable[[Keys, Batch], Any]  # drawn inside the jitted step: crops, masks, corruptions, noise, negatives
Teacher = Callable[[Params, Params, Array], Params]  # (teacher, student, step) -> teacher
Miner = Callable[[Array, Array], Array]  # (similarity [b k], positive [b k]) -> weight [b k]
Evaluator = Callable[..., dict[str, float]]  # (subject, key, *, options) -> figures


class Transform(NamedTuple):
  """A system that never trains by gradient."""

  fit: Callable  # (features, labels) -> pytree
  apply: Callable  # (pytree, features) -> features
  labels: str = 'label'  # the column of the data that `fit` is given as labels, where there is one


def fold(keys: Array, data: int | Array) -> Array:
  """`jax.random.fold_in` for one key or an array of them."""
  if keys.ndim == 0:
    return jax.random.fold_in(keys, data)
  return jax.vmap(jax.random.fold_in, (0, None))(keys, data)
