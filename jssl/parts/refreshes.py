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
from jssl.types import Column, Data, Examples, Key, Refresh

_AT_ONCE = 512  # examples that are embedded, or compared, per call


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

  if not 1 <= count <= len(z):
    raise ValueError(f'{count} clusters of {len(z)} examples are requested; give 1 to {len(z)}')
  seed = int(np.asarray(jax.random.bits(key, (), jnp.uint32)) % (2**31))
  with threadpool_limits(1):  # several threads sum in varying order, and a resumed run would not reproduce the same bits
    fit = KMeans(count, n_init=1, random_state=seed).fit(z)
  return fit.labels_, fit.cluster_centers_
