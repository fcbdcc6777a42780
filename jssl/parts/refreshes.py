"""Columns and orders of the training split that are recomputed from the networks during training.

A refresh is a factory that takes options and returns a `Refresh`: `columns(data)` gives the columns that it adds, and `make(represent,
networks, data, key)` computes them, as arrays with one entry per example. 'order' is not a column: subsequent batches are consecutive parts of
this order.
"""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jssl.metrics.ranking import products
from jssl.ops.rows import over_rows, take
from jssl.ops.waveforms import HOP, WINDOW, frame_count, mfcc
from jssl.types import Column, Data, Examples, Key, Refresh

_AT_ONCE = 512  # examples that are embedded, or compared, per call
_WAVES_AT_ONCE = 64  # examples whose frames are embedded per call


def embedded(represent: Callable, data: Data, column: str, by: str | None = None) -> np.ndarray:
  """Unit-length features [n d] of a column of the training split, computed by `represent` as if it were the data's input column.

  Each of several processes reads and computes a share of the split, so all processes must call this.

  Args:
    by: a network to use instead of the encoder, or 'tf_idf' for the counts of a column of token ids; None for the encoder.
  """
  rows = data.splits['train']
  if by == 'tf_idf':
    return tf_idf(rows, column, data.spec[column])
  n = len(rows)
  read = lambda numbers: {data.inputs: take(rows, numbers, [column])[column]}
  z = over_rows(lambda x: represent(x, network=by).pooled, read, n, _AT_ONCE).astype(np.float32)
  if not np.isfinite(z).all():
    bad = int((~np.isfinite(z)).any(1).sum())
    raise ValueError(f'{bad} of {n} rows of the features of {column!r} are not finite; training has diverged: lower the learning rate')
  return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


def tf_idf(rows: Examples, name: str, column: Column) -> np.ndarray:
  """Unit vectors [n v] of the counts of a column of token ids, each log(1 + count) times the inverse document frequency.

  Reference: Salton, Buckley, Information Processing and Management 1988, doi:10.1016/0306-4573(88)90021-0.
  """
  ids = take(rows, np.arange(len(rows)))[name]
  counts = np.zeros((len(ids), column.size), np.float32)
  np.add.at(counts, (np.arange(len(ids))[:, None], ids), 1.0)
  if column.pad is not None:
    counts[:, column.pad] = 0
  z = np.log1p(counts) * np.log(len(ids) / np.maximum((counts > 0).sum(0), 1))
  return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


def clusters(*, count: int, column: str | None = None) -> Refresh:
  """The k-means cluster of each example's features: column `cluster`, int32.

  Args:
    count: number of clusters.
    column: the column to embed; None for the data's input.

  Reference: Caron, Bojanowski, Joulin, Douze, ECCV 2018, arXiv:1807.05520, section 3 (clusters as labels).
  """

  def make(represent, networks, data: Data, key: Key):
    z = embedded(represent, data, column or data.inputs)
    return {'cluster': k_means(z, count, key)[0].astype(np.int32)}

  return Refresh(lambda data: {'cluster': Column((), jnp.int32, size=count)}, make)


def frame_clusters(
  *,
  count: int,
  frames: int,
  by: str | None = None,
  layer: int | None = None,
  rate: int = 16_000,
  stride: int = 1,
  lengths: str | None = None,
  share: float = 1.0,
) -> Refresh:
  """The k-means cluster of each frame of waveforms, by their cepstrum or by the states of a network: column `units`, int32.

  Args:
    count: number of clusters.
    frames: frames of an example, as many as the network that predicts them has.
    by: a network, the states of whose `layer` are clustered, from 0 for what goes into the first block; None for `mfcc`.
    layer: as described.
    rate: samples per second, for `mfcc`.
    stride: of the frames of `mfcc`, which are 10 ms apart, every how many are taken.
    lengths: a column of the samples of each wave; clusters are fitted to real frames alone. None where all are real.
    share: of the examples, drawn at random, that clusters are fitted to.

  Reference: Hsu et al. (HuBERT), TASLP 2021, arXiv:2106.07447, section IV.B: 100 clusters of cepstra, then 500 of the sixth block of the
  network trained on those, by mini-batch k-means that begins by k-means++, on a tenth of the data; options as in the official code,
  examples/hubert/simple_kmeans/learn_kmeans.py.
  """
  if (by is None) != (layer is None):
    raise ValueError(f'by={by!r} and layer={layer!r}: give both, a network and its layer, or neither, for cepstra')

  def make(represent, networks, data: Data, key: Key):
    rows, wave = data.splits['train'], data.inputs
    read = lambda numbers: take(rows, numbers, [wave] if lengths is None else [wave, lengths])

    def states(x):
      found = mfcc(x[wave], rate=rate)[:, ::stride] if by is None else _layer(represent, x, wave, lengths, by, layer)
      if not frames <= found.shape[1] <= frames + (by is None):  # windows of another size may give a frame more
        raise ValueError(f'{by or "mfcc"} has {found.shape[1]} frames an example, and frames is {frames}: give frames={found.shape[1]}')
      return found[:, :frames]

    chosen = np.sort(np.asarray(jax.random.permutation(key, len(rows)))[: max(1, round(share * len(rows)))])
    z = over_rows(states, lambda i: read(chosen[i]), len(chosen), _WAVES_AT_ONCE).astype(np.float32)
    if not np.isfinite(z).all():
      raise ValueError(f'features of frames by {by or "mfcc"} are not finite; training has diverged: lower the learning rate')
    if lengths is not None:
      told = take(rows, chosen, [lengths])[lengths]
      windows = ((rate * WINDOW // 1000,), (rate * HOP // 1000 * stride,))
      z = z[np.arange(frames) < (frame_count(told, *windows) if by is None else networks[by].frames(told))[:, None]]
    centres = jnp.asarray(_mini_batch_centres(z.reshape(-1, z.shape[-1]), count, key))
    nearest = jax.jit(lambda z: jnp.argmin(jnp.sum(centres**2, 1) - 2 * jnp.matmul(z, centres.T, precision='highest'), -1).astype(jnp.int32))
    return {'units': over_rows(lambda x: nearest(states(x)), read, len(rows), _WAVES_AT_ONCE)}

  return Refresh(lambda data: {'units': Column((frames,), jnp.int32, size=count)}, make)


def _layer(represent: Callable, x: dict, wave: str, lengths: str | None, by: str, layer: int) -> jax.Array:
  given = {} if lengths is None else {'lengths': x[lengths]}
  return represent({wave: x[wave]}, network=by, **given).layers[layer]


def cluster_batches(*, size: int, columns: tuple[str, str], by: str | None = None) -> Refresh:
  """An order in which batches are clusters of similar pairs, so that in-batch negatives are hard negatives.

  A pair is represented by its two concatenated embeddings. Clusters are split and their remainders merged, so that all have `size`.

  Args:
    size: examples per batch.
    columns: the columns of queries and of documents.
    by: the surrogate that computes the features, as in `embedded`.

  Reference: Morris, Rush, 2024, arXiv:2410.02525, section 3.1.
  """

  def make(represent, networks, data: Data, key: Key):
    z = np.concatenate([embedded(represent, data, name, by) for name in columns], 1)
    cluster, centres = k_means(z, max(1, len(z) // size), key)
    by_place = np.argsort(centres @ centres[0])  # neighbouring clusters share the batches filled with their remainders
    place = np.argsort(by_place)[cluster]
    return {'order': np.argsort(place, kind='stable').astype(np.int32)}

  return Refresh(lambda data: {}, make)


def hard_negatives(*, count: int, query: str, passage: str, skip: int = 0, name: str = 'negatives', by: str | None = None) -> Refresh:
  """The `count` passages most similar to a query, other than its own: a column of rows of the passage column.

  Args:
    count: number of negatives.
    query, passage: names of the columns.
    skip: number of the most similar passages to skip, since they may be relevant.
    name: name of the new column, [count ...].
    by: the encoder for the search, as in `embedded`.

  Reference: Xiong et al. (ANCE), ICLR 2021, arXiv:2007.00808, section 3.
  """

  def columns(data: Data):
    x = data.spec[passage]
    return {name: replace(x, shape=(count, *x.shape))}

  def make(represent, networks, data: Data, key: Key):
    rows = data.splits['train']
    q, p = (embedded(represent, data, column, by) for column in (query, passage))
    whole = take(rows, np.arange(len(rows)))[passage]
    found, text = [], np.unique(whole.reshape(len(whole), -1), axis=0, return_inverse=True)[1].reshape(-1)
    for start in range(0, len(q), _AT_ONCE):
      score = products(q[start : start + _AT_ONCE], p)
      own = np.arange(start, start + len(score))
      score[text[own][:, None] == text] = -np.inf  # its own passage, and copies of it
      found.append(np.argsort(-score, 1, kind='stable')[:, skip : skip + count])
    return {name: whole[np.concatenate(found)]}

  return Refresh(columns, make)


def k_means(z: np.ndarray, count: int, key: Key) -> tuple[np.ndarray, np.ndarray]:
  """Cluster [n] of each row of [n d], and the cluster centres."""
  from sklearn.cluster import KMeans
  from threadpoolctl import threadpool_limits

  _countable(count, z)
  with threadpool_limits(1):  # several threads sum in varying order, and a resumed run would not reproduce the same bits
    fit = KMeans(count, n_init=1, random_state=_seed(key)).fit(z)
  return fit.labels_, fit.cluster_centers_


def _mini_batch_centres(z: np.ndarray, count: int, key: Key) -> np.ndarray:
  """Centres [count d] of the rows [n d], by mini-batches of 10,000."""
  from sklearn.cluster import MiniBatchKMeans
  from threadpoolctl import threadpool_limits

  _countable(count, z)
  options = dict(batch_size=10_000, n_init=20, reassignment_ratio=0.0, max_no_improvement=100)
  with threadpool_limits(1):
    return MiniBatchKMeans(count, random_state=_seed(key), **options).fit(z).cluster_centers_


def _countable(count: int, z: np.ndarray) -> None:
  if not 1 <= count <= len(z):
    raise ValueError(f'{count} clusters of {len(z)} examples are requested; give 1 to {len(z)}')


def _seed(key: Key) -> int:
  return int(np.asarray(jax.random.bits(key, (), jnp.uint32)) % (2**31))
