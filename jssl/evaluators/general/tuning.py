"""Supervised training of a network and a linear head, for the protocol `finetune`."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from jssl.evaluators.features import extract
from jssl.evaluators.general.probe import standardizer
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits
from jssl.ops.mixing import mixed, smoothed
from jssl.ops.rows import over_devices, take
from jssl.parts.schedules import Duration, cosine
from jssl.types import Array, Examples, Features, Params, View, salted


class Part:
  """Some examples of a split, by number; they are read when they are asked for."""

  def __init__(self, examples: Examples, rows: np.ndarray):
    self.examples, self.rows = examples, rows

  def __len__(self) -> int:
    return len(self.rows)

  def __getitem__(self, index: int) -> Mapping[str, Any]:
    return self.examples[int(self.rows[index])]

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The examples `rows` [b] of these, stacked: column -> [b ...]."""
    return take(self.examples, self.rows[rows])


class Tuned(NamedTuple):
  """The state of a fit."""

  params: Params  # of the network and the head
  stats: Params  # of the network
  opt: Any
  average: Any  # moving averages of params and stats; () without


class Tuning:
  """Trains a network and a linear head. The learning rate is an argument of the step, so that all learning rates share a program.

  Args:
    subject: its network and data; on its devices, if it has a `place`.
    network: name of the network.
    classes: outputs of the head.
    optimizer: learning_rate -> optimiser; given 1, its updates are multiplied by the learning rate.
    steps: updates of a fit.
    epoch: updates in an epoch, for `warmup`.
    others: as for `finetune`.
  """

  def __init__(
    self,
    subject: Subject,
    network: str,
    classes: int,
    *,
    optimizer: Callable[..., optax.GradientTransformation],
    steps: int,
    epoch: float,
    batch_size: int,
    warmup: Duration = '10%',
    view: View | None = None,
    mixup: float = 0.0,
    cutmix: float = 0.0,
    smoothing: float = 0.0,
    drop_path: float | None = None,
    ema: float | None = None,
    pool: str | None = None,
    norm: str | None = 'standardize',
    std: float = 0.0,
  ):
    net = nnx.clone(subject.networks[network])
    if pool:
      net.pool = pool
    if norm == 'layer':
      net.pooled_norm = True
      net.norm.scale[...], net.norm.bias[...] = jnp.ones(net.dim), jnp.zeros(net.dim)
    net.eval()
    still = nnx.graphdef(net)
    net.train()
    if drop_path is not None:
      net.drop_path = drop_path
    moving, params, stats = nnx.split(net, nnx.Param, ...)
    self.start, self.place = (nnx.to_pure_dict(params), nnx.to_pure_dict(stats)), subject.place
    if self.place:
      self.start = jax.tree.map(self._everywhere, self.start)
    self.classes, self.steps, self.batch_size, self.standardize, self.std = classes, steps, batch_size, norm == 'standardize', std
    self.optimizer, rate_at = optimizer(learning_rate=1.0), cosine(peak=1.0, warmup=warmup, steps=steps, epoch=epoch)
    soft, random = max(mixup, cutmix, smoothing) > 0, view is not None or drop_path is not None or max(mixup, cutmix) > 0

    def plain(batch):
      (x,) = subject.inputs(jax.random.split(jax.random.key(0), len(jax.tree.leaves(batch)[0])), batch)
      return x

    def pooled(graphdef, params, stats, x, **keys):
      bound = nnx.merge(graphdef, params, stats, copy=True)
      z = bound(x, **keys)
      return z.pooled if isinstance(z, Features) else z, nnx.to_pure_dict(nnx.state(bound, nnx.Not(nnx.Param)))

    def logits(graphdef, trained, stats, scaler, x, **keys):
      z, stats = pooled(graphdef, trained['network'], stats, x, **keys)
      z = (z - scaler[0]) * scaler[1] if scaler else z
      return z @ trained['head']['kernel'] + trained['head']['bias'], stats

    def loss(trained, stats, scaler, batch, key):
      labels = batch['label'].reshape(-1)
      keys = (lambda purpose: jax.random.split(salted(key, purpose), len(labels))) if random else None
      x = plain(batch if view is None else {**batch, subject.data.inputs: view(keys('view'), batch)[0]})
      y = smoothed(labels, classes, smoothing) if soft else labels
      if mixup or cutmix:
        x, y = mixed(salted(key, 'mixed'), x, y, mixup=mixup, cutmix=cutmix)
      found, stats = logits(moving, trained, stats, scaler, x, **({} if drop_path is None else {'keys': keys('network')}))
      of = optax.softmax_cross_entropy if soft else optax.softmax_cross_entropy_with_integer_labels
      return of(found, y).mean(), stats

    def step(state, scaler, batch, rate, at, key):
      key = jax.random.fold_in(key, at)
      grads, stats = jax.grad(loss, has_aux=True)(state.params, state.stats, scaler, batch, key)
      updates, opt = self.optimizer.update(grads, state.opt, state.params)
      updates = jax.tree.map(lambda x: x * rate * rate_at(at), updates)  # weight decay too is multiplied by the learning rate
      params = optax.apply_updates(state.params, updates)
      return Tuned(params, stats, opt, _averaged(ema, state.average, (params, stats)))

    self.loss, self.ema, self.step = loss, ema, jax.jit(step, donate_argnums=0)
    self.features = jax.jit(lambda params, stats, batch: Features(pooled=pooled(still, params, stats, plain(batch))[0], tokens=None))
    self.logits = jax.jit(
      lambda params, stats, scaler, batch: Features(pooled=logits(still, params, stats, scaler, plain(batch))[0], tokens=None)
    )

  def begin(self, examples: Examples, seed: int = 0) -> tuple[Tuned, tuple]:
    """The state before training, and the mean and 1 / deviation of the features of `examples`; () if these are not standardised."""
    params, stats = jax.tree.map(jnp.copy, self.start)
    features = self._on(self.features, *self.start)
    scaler = standardizer(extract(features, examples, label=None)[0]) if self.standardize else ()
    dim = len(scaler[0]) if scaler else jax.eval_shape(features, take(examples, np.arange(1), _numeric(examples))).pooled.shape[1]
    kernel = self.std * jax.random.truncated_normal(jax.random.key(seed), -2, 2, (dim, self.classes)) if self.std else 0.0
    head = {'kernel': jnp.zeros((dim, self.classes)) + kernel, 'bias': jnp.zeros(self.classes)}
    trained = {'network': params, 'head': head}
    average = () if self.ema is None else jax.tree.map(jnp.copy, (trained, stats))
    state = Tuned(trained, stats, self.optimizer.init(trained), average)
    return (jax.tree.map(self._everywhere, state) if self.place else state), scaler

  def fit(self, examples: Examples, rows: np.ndarray, rate: float, seed: int) -> tuple[Tuned, tuple]:
    """Trains on `rows` of `examples`; the features of all of these standardise."""
    state, scaler = self.begin(examples, seed)
    names, key = _numeric(examples), jax.random.key(seed)
    read = lambda rows: self._spread(take(examples, rows, names))
    with jax.set_mesh(self.place.mesh) if self.place else nullcontext():
      for at, batch in enumerate(ahead(read, orders(rows, min(self.batch_size, len(rows)), seed, self.steps))):
        state = self.step(state, scaler, batch, rate, at, key)
    return state, scaler

  def classify(self, state: Tuned, scaler: tuple) -> Callable[[Examples], np.ndarray]:
    """A function that tells whether each of some examples is classified correctly."""
    classify = self._on(self.logits, *(state.average if self.ema is not None else (state.params, state.stats)), scaler)

    def right(examples: Examples) -> np.ndarray:
      found, labels = extract(classify, examples)
      return hits(found, labels.reshape(-1), 1e-6)

    return right

  def _on(self, run: Callable, *arrays: Any) -> Callable:
    return over_devices(run, arrays, self.place) if self.place else partial(run, *arrays)

  def _everywhere(self, x: Array) -> Array:
    """An array on all devices: as it is if it is on all of them, such as a shard on each, or copied to each."""
    there = isinstance(x, jax.Array) and x.sharding.device_set == self.place.device_set
    return x if there and not x.sharding.is_fully_replicated else jax.device_put(x, NamedSharding(self.place.mesh, PartitionSpec()))

  def _spread(self, batch: Mapping[str, np.ndarray]) -> Mapping[str, Array]:
    """A batch with its examples spread over the devices; one that does not divide among them is computed by each."""
    if not self.place:
      return jax.device_put(batch)
    shares = self.place.mesh.size // self.place.shard_shape((self.place.mesh.size,))[0]
    whole = NamedSharding(self.place.mesh, PartitionSpec())
    return jax.device_put(batch, self.place if len(next(iter(batch.values()))) % shares == 0 else whole)


def orders(rows: np.ndarray, size: int, seed: int, steps: int) -> Iterator[np.ndarray]:
  """Which of `rows` are in each of `steps` batches of `size`: one permutation of all after another, cut without regard to its ends."""
  random, order = np.random.RandomState(seed), np.zeros(0, int)
  for _ in range(steps):
    if len(order) < size:
      order = np.concatenate([order, random.permutation(rows)])
    yield order[:size]
    order = order[size:]


def ahead(read: Callable, items: Iterable, *, threads: int = 2, most: int = 4) -> Iterator[Any]:
  """read(item) of each item, in order; threads read up to `most` ahead."""
  items = iter(items)
  with ThreadPoolExecutor(threads) as pool:
    waiting = deque(pool.submit(read, item) for item in itertools.islice(items, most))
    while waiting:
      found = waiting.popleft().result()
      waiting.extend(pool.submit(read, item) for item in itertools.islice(items, 1))
      yield found


def _numeric(examples: Examples) -> list[str]:
  return [name for name, x in examples[0].items() if np.asarray(x).dtype.kind not in 'OUS']


def _averaged(decay: float | None, average: Any, now: Any) -> Any:
  """The moving average, of statistics too; whole numbers are taken as they are."""
  if decay is None:
    return ()
  return jax.tree.map(lambda a, x: decay * a + (1 - decay) * x if jnp.issubdtype(x.dtype, jnp.inexact) else x, average, now)
