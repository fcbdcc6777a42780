"""Probes of frozen features that are trained by gradient descent: all candidates at once, on all devices, from memory or from a stream."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jssl.evaluators.features import finite
from jssl.evaluators.figures import Items, accuracy
from jssl.evaluators.general.probe import inverse
from jssl.evaluators.subject import Subject
from jssl.ops.rows import over_rows, take
from jssl.parts.schedules import Duration, cosine
from jssl.types import Array, Key, View

HELD_OUT = 0.1  # share of 'train' on which a candidate is chosen
CHUNK = 64 * 2**20  # bytes of features that are sent to the devices at a time, unless one batch takes more
MOMENTUM, EPSILON = 0.1, 1e-6  # of batch normalisation
NORMS = ('none', 'batch', 'standardize')
ROW = 'number of the example'  # a column beside those of the data


class Probe(NamedTuple):
  """A classifier of one kind of features."""

  init: Callable[[Key, tuple[int, ...], int], Any]  # (key, shape of the features of an example, classes) -> params
  apply: Callable[[Any, Array], Array]  # (params, features [b ...]) -> logits [b classes]
  chosen: Mapping[str, Any]  # how results name it


class Recipe(NamedTuple):
  """How probes are trained: with every learning rate and every weight decay, for every kind of features."""

  optimizer: Callable[..., optax.GradientTransformation]  # (weight_decay=...) -> the optimiser at learning rate 1
  rates: Sequence[float]  # for 256 examples: they are multiplied by the batch size / 256
  decays: Sequence[float]
  epochs: int
  batch_size: int
  warmup: Duration = 0
  norm: str = 'none'  # one of NORMS

  @property
  def candidates(self) -> list[tuple[float, float]]:
    """The learning rate and the weight decay of each candidate: the smallest come first, and win ties."""
    return [(rate, decay) for rate in sorted(map(float, self.rates)) for decay in sorted(map(float, self.decays))]


class Rows:
  """Features of examples of a split by their numbers, computed when they are asked for, unless `hold` has kept them.

  Args:
    subject: its representation is evaluated. Of several processes each computes a share of what is asked for, and all get the whole.
    split: name of the split.
    pick: Features -> name -> [b ...], jitted.
    view: of the input column, drawn anew in each epoch; None for inputs as they are.
    batch_size: examples that are encoded at a time.
  """

  def __init__(self, subject: Subject, split: str, pick: Callable, view: View | None, batch_size: int):
    self.subject, self.name, self.split, self.pick, self.batch_size = subject, split, subject.data.splits[split], pick, batch_size
    self.names = [name for name, x in self.split[0].items() if np.asarray(x).dtype.kind not in 'OUS']
    keys = lambda epoch, rows: jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(jax.random.key(0), epoch), rows)
    self.view = view and jax.jit(lambda epoch, rows, batch: view(keys(epoch, rows), batch)[0])
    self.held: tuple[dict[str, np.ndarray], np.ndarray] | None = None

  def hold(self) -> None:
    """Computes the features of all examples, and keeps them in the memory of the host."""
    if {*self(np.arange(1))[0]} == {'pooled'}:  # which evaluators of frozen features share
      found = self.subject.frozen._asdict()
      self.held = {'pooled': found[f'{self.name}_x']}, found[f'{self.name}_y']
    else:
      self.held = self(np.arange(len(self.split)))

  def __call__(self, rows: np.ndarray, epoch: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Name -> features [n ...], and labels [n], of the examples `rows` [n], on the host.

    Raises:
      ValueError: if features are not finite.
    """
    if self.held:
      return {name: x[rows] for name, x in self.held[0].items()}, self.held[1][rows]
    read = lambda at: {**take(self.split, rows[at], self.names), ROW: rows[at]}
    found, labels = over_rows(partial(self._computed, epoch), read, len(rows), self.batch_size)
    found = {name: finite(np.asarray(x, np.float32), f'the {name} features of {self.name!r}') for name, x in found.items()}
    return found, labels.reshape(-1).astype(np.int32)

  def _computed(self, epoch: int, columns: Mapping[str, np.ndarray]) -> tuple[dict[str, Array], np.ndarray]:
    batch = {name: x for name, x in columns.items() if name not in (ROW, 'label')}
    if self.view:
      rows, batch = jax.device_put((columns[ROW], batch), spread(batch))
      batch = {**batch, self.subject.data.inputs: self.view(epoch, rows, batch)}
    return self.pick(self.subject.represent(batch)), columns['label']

  def blocks(self, rows: np.ndarray, size: int) -> Iterator[tuple[int, dict[str, np.ndarray], np.ndarray]]:
    """The examples `rows`, `size` at a time: how many, features and labels. The last ones are repeated up to `size`, for one program."""
    for first in range(0, len(rows), size):
      these = rows[first : first + size]
      yield len(these), *self(np.concatenate([these, np.repeat(these[-1:], size - len(these))]))


def spread(batch: Any, axis: int = 0) -> NamedSharding:
  """The place of a batch: its examples, along this axis, over the devices of this process, or on each where they do not divide."""
  devices = jax.local_device_count()
  divide = all(x.shape[axis] % devices == 0 for x in jax.tree.leaves(batch))
  return NamedSharding(_mesh(), PartitionSpec(*(None,) * axis, 'examples') if divide else PartitionSpec())


def _mesh() -> Mesh:
  return Mesh(np.array(jax.local_devices()), ('examples',), axis_types=(AxisType.Auto,))


def among(logits: Array, labels: Array, k: int) -> Array:
  """The chance that the label [b] is among the k largest of logits [... b c], where equal ones are in a random order; [... b].

  As in `ranking.hits`, logits that differ by rounding are equal. It is 0 where logits are not finite, as of a rate that is too large.
  """
  labels = jnp.broadcast_to(labels, logits.shape[:-1])[..., None]
  mine = jnp.take_along_axis(logits, labels, -1)
  tolerance = 1e-6 * jnp.maximum(jnp.abs(mine), 1)
  larger, equal = (jnp.sum(x, -1) for x in (logits > mine + tolerance, jnp.abs(logits - mine) <= tolerance))
  return jnp.where(jnp.isfinite(logits).all(-1), jnp.clip((k - larger) / jnp.maximum(equal, 1), 0, 1), 0.0)


class Training:
  """Trains probes on features, every candidate in the same step.

  Args:
    probes: name of the features -> its probe.
    shapes: name of the features -> their shape for an example.
    classes: number of classes.
    recipe: the candidates, and what they share.
  """

  def __init__(self, probes: Mapping[str, Probe], shapes: Mapping[str, tuple[int, ...]], classes: int, recipe: Recipe):
    self.probes, self.shapes, self.classes, self.recipe = probes, shapes, classes, recipe
    self.rates, self.decays = np.float32(recipe.candidates).T
    self.bytes = 4 * sum(math.prod(shapes[name]) for name in probes)
    self._among = jax.jit(self.among, static_argnames='ks')

  def __call__(self, features: Rows, rows: np.ndarray) -> dict[str, Any]:
    """Trains on the examples `rows`, in an order that is drawn anew in each epoch; what is left over by whole batches is not used in it.

    Returns:
      name of the features -> params and opt [p ...], and norm, the statistics of the features; on every device.
    """
    batch, random = min(self.recipe.batch_size, len(rows)), np.random.RandomState(0)
    steps = len(rows) // batch
    at_once = max(n for n in range(1, steps + 1) if n == 1 or steps % n == 0 and n * batch * self.bytes <= CHUNK)
    rate = cosine(peak=batch / 256, warmup=self.recipe.warmup, steps=self.recipe.epochs * steps, epoch=steps)
    everywhere = NamedSharding(_mesh(), PartitionSpec())
    state = jax.device_put(self.start(features, rows), everywhere)
    run = jax.jit(partial(self.steps, rate), donate_argnums=0, out_shardings=everywhere)
    for epoch in range(self.recipe.epochs):
      drawn = rows[random.permutation(len(rows))]
      for first in range(0, steps, at_once):
        given = self._own(*features(drawn[first * batch : (first + at_once) * batch], epoch))
        given = jax.tree.map(lambda x: x.reshape(at_once, batch, *x.shape[1:]), given)
        state = run(state, epoch * steps + first + jnp.arange(at_once), *jax.device_put(given, spread(given, 1)))
    return state

  def judged(self, state: Mapping[str, Any], features: Rows, rows: np.ndarray, ks: tuple[int, ...] = (1,)) -> np.ndarray:
    """The chance that each candidate finds the label of the examples `rows` among the k likeliest: [n ks p], the features one by one."""
    found = []
    for n, *given in features.blocks(rows, self._block(len(rows))):
      given = self._own(*given)
      found.append(np.asarray(self._among(state, *jax.device_put(given, spread(given)), ks))[:n])
    return np.concatenate(found, dtype=np.float64)

  def start(self, features: Rows, rows: np.ndarray) -> dict[str, Any]:
    """The state before the first step, in which all candidates of a probe are equal."""
    norms = {name: (np.zeros(shape, np.float32), np.ones(shape, np.float32)) for name, shape in self.shapes.items()}
    if self.recipe.norm == 'standardize':
      norms |= _standardizers((n, self._own(x, y)[0]) for n, x, y in features.blocks(rows, self._block(len(rows))))
    return {name: dict(norm=norms[name], **of) for name, of in jax.jit(self._fresh)(jax.random.key(0)).items()}

  def _fresh(self, key: Key) -> dict[str, Any]:
    state = {}
    for i, (name, probe) in enumerate(self.probes.items()):
      params = probe.init(jax.random.fold_in(key, i), self.shapes[name], self.classes)
      params = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(self.rates), *x.shape)), params)
      state[name] = dict(params=params, opt=jax.vmap(self.recipe.optimizer(weight_decay=0.0).init)(params))
    return state

  def steps(self, rate: Callable, state: dict[str, Any], at: Array, x: Mapping[str, Array], y: Array) -> dict[str, Any]:
    """The state after some steps: their numbers [s], features [s b ...] and labels [s b]."""

    def step(state, given):
      at, x, y = given
      return {name: self._updated(name, state[name], rate(at), x[name], y) for name in self.probes}, None

    return jax.lax.scan(step, state, (at, x, y))[0]

  def among(self, state: Mapping[str, Any], x: Mapping[str, Array], y: Array, ks: tuple[int, ...]) -> Array:
    """[b ks p], as in `judged`."""
    of = lambda name: jax.vmap(self.probes[name].apply, (0, None))(state[name]['params'], self._normal(state[name]['norm'], x[name]))
    return jnp.moveaxis(jnp.stack([jnp.concatenate([among(of(name), y, k) for name in self.probes]) for k in ks]), -1, 0)

  def _updated(self, name: str, state: Mapping[str, Any], rate: Array, x: Array, y: Array) -> dict[str, Any]:
    apply, norm = self.probes[name].apply, state['norm']
    if self.recipe.norm == 'batch':
      mean, variance = jnp.mean(x, 0), jnp.var(x, 0)
      new = mean, variance * (len(x) / max(len(x) - 1, 1))
      norm = tuple(a + MOMENTUM * (b - a) for a, b in zip(norm, new, strict=True))
      x = self._normal((mean, variance), x)
    else:
      x = self._normal(norm, x)

    def update(params, opt, own_rate, decay):
      grads = jax.grad(lambda params: jnp.mean(optax.softmax_cross_entropy_with_integer_labels(apply(params, x), y)))(params)
      updates, opt = self.recipe.optimizer(weight_decay=decay).update(grads, opt, params)
      return optax.apply_updates(params, jax.tree.map(lambda u: u * (own_rate * rate), updates)), opt

    params, opt = jax.vmap(update)(state['params'], state['opt'], self.rates, self.decays)
    return dict(params=params, opt=opt, norm=norm)

  def _normal(self, norm: tuple[Array, Array], x: Array) -> Array:
    if self.recipe.norm == 'none':
      return x
    return (x - norm[0]) * (norm[1] if self.recipe.norm == 'standardize' else 1 / jnp.sqrt(norm[1] + EPSILON))

  def _own(self, x: Mapping[str, np.ndarray], y: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return {name: x[name] for name in self.probes}, y

  def _block(self, n: int) -> int:
    """Examples that are evaluated at a time, of n: a multiple of the devices of this process."""
    devices = jax.local_device_count()
    return -(-min(max(CHUNK // self.bytes, 1), n) // devices) * devices


def _standardizers(blocks: Iterator[tuple[int, Mapping[str, np.ndarray]]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """`standardizer` of features that come in blocks, name -> [b ...] with how many of the b are meant, by sums in float64."""
  n, mean, squares = 0, {}, {}
  for m, block in blocks:
    for name, x in block.items():
      of_block = np.mean(x[:m], 0, dtype=np.float64)
      shift = of_block - mean.get(name, 0.0)
      mean[name] = mean.get(name, 0.0) + shift * (m / (n + m))
      squares[name] = squares.get(name, 0.0) + np.sum((x[:m] - of_block) ** 2, 0) + shift**2 * (n * m / (n + m))
    n += m
  return {name: (mean[name].astype(np.float32), inverse(np.sqrt(squares[name] / n))) for name in mean}


def classes_of(subject: Subject) -> int:
  """The number of classes: the size of the column of labels, or one more than the largest label."""
  if size := subject.data.spec['label'].size:
    return size
  splits = [subject.data.splits[name] for name in ('train', 'test')]
  return 1 + max(int(np.max(take(split, np.arange(len(split)), ['label'])['label'])) for split in splits)


def best_of(
  subject: Subject, pick: Callable, probes: Mapping[str, Probe], recipe: Recipe, *, view: View | None, cache_limit: int, refit: bool
) -> dict[str, Any]:
  """Trains all candidates on a part of 'train', chooses one on the rest of it, and evaluates that one on 'test'.

  Args:
    subject: has class labels in 'train' and 'test'.
    pick: Features -> name -> [b ...], jitted.
    probes: name -> its probe.
    recipe: how they are trained.
    view: of the input column, drawn anew in each epoch of training; None for inputs as they are.
    cache_limit: bytes of features of both splits up to which they are computed once, if there is no view, and kept by the host.
    refit: train what was chosen again, on all of 'train'; False takes it as it was trained first.

  Returns:
    top1 (with top1_low, top1_high), top5 if there are more than five classes, top1_validation, `chosen`, and counts of examples.
  """
  size = min(recipe.batch_size, 512)
  plain, test = (Rows(subject, split, pick, None, size) for split in ('train', 'test'))
  n, m, classes = len(plain.split), len(test.split), classes_of(subject)
  shapes = {name: x.shape[1:] for name, x in plain(np.arange(1))[0].items()}
  if view is None and 4 * (n + m) * sum(map(math.prod, shapes.values())) <= cache_limit:
    plain.hold()
    test.hold()
  moving = plain if view is None else Rows(subject, 'train', pick, view, size)
  drawn, out = np.random.RandomState(0).permutation(n), max(1, round(HELD_OUT * n))  # the same for every representation
  training = Training(probes, shapes, classes, recipe)
  state = training(moving, np.sort(drawn[out:]))
  validation = training.judged(state, plain, np.sort(drawn[:out]))[:, 0].mean(0)
  best, candidates = int(validation.argmax()), recipe.candidates
  name, i = [*probes][best // len(candidates)], best % len(candidates)
  rate, decay = candidates[i]
  one = Training({name: probes[name]}, shapes, classes, recipe._replace(rates=(rate,), decays=(decay,)))
  if refit:
    last = one(moving, np.arange(n))
  else:
    last = {name: {key: jax.tree.map(lambda x: x[i : i + 1], x) if key != 'norm' else x for key, x in state[name].items()}}
  found = one.judged(last, test, np.arange(m), (1, 5) if classes > 5 else (1,))[..., 0]
  return {
    'train_examples': n, 'test_examples': m, **accuracy(found[:, 0]), **({'top5': float(found[:, 1].mean())} if classes > 5 else {}),
    'top1_validation': float(validation[best]), 'chosen': {'learning_rate': rate, 'weight_decay': decay, **probes[name].chosen},
    'items': {'top1': Items('mean', (found[:, 0],))},
  }  # fmt: skip
