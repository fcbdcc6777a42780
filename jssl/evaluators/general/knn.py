"""Nearest neighbours: evaluation of a representation without training."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import Frozen, holdout
from jssl.evaluators.figures import accuracy
from jssl.evaluators.general.probes import everywhere, spread
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.metrics.ranking import hits
from jssl.ops.normalize import l2_normalize
from jssl.types import Array, Key


class Votes(NamedTuple):
  """The votes of the neighbours; the prediction is the argmax."""

  weighted: np.ndarray  # [m classes], a neighbour's weight is exp(similarity / temperature), relative to the nearest's
  majority: np.ndarray  # [m classes], each neighbour has weight one


def neighbours(
  bank: np.ndarray, queries: np.ndarray, k: int, *, bank_block: int = 4096, query_block: int = 512
) -> tuple[np.ndarray, np.ndarray]:
  """The k most similar bank entries of every query, by cosine: exact, most similar first.

  The bank is streamed once in blocks, and a running top k is merged with the top k of each block. The similarities never take more than
  query_block x bank_block, and one program serves banks and queries of any size. The queries of a block are spread over the devices of this
  process, each of which has the block of the bank.

  Args:
    bank: [n d].
    queries: [m d].
    k: number of neighbours; if k > n, the rest has similarity -inf.
    bank_block: entries per block.
    query_block: queries per block.

  Returns:
    Similarities [m k] in [-1, 1] and indices into the bank [m k].
  """
  m = len(queries)
  none = np.full((query_block, k), -np.inf, np.float32), np.zeros((query_block, k), np.int32)
  best = [(_queries(queries, i, query_block), *jax.device_put(none, spread(none))) for i in range(0, m, query_block)]
  for start in range(0, len(bank), bank_block):
    block = _block(bank, start, bank_block)
    best = [(q, *_merge(_near(q, block, start, len(bank)), s, i, start)) for q, s, i in best]
  _, similarity, index = zip(*jax.device_get(best), strict=True)
  return np.concatenate(similarity)[:m], np.concatenate(index)[:m]


def vote(similarity: np.ndarray, labels: np.ndarray, k: int, temperature: float, classes: int, equal: np.ndarray | None = None) -> Votes:
  """Votes of the k nearest among the given neighbours.

  Args:
    similarity: [m K], most similar first, -inf for missing neighbours.
    labels: [m K], the neighbours' classes.
    k: number of neighbours that vote.
    temperature: of the weights.
    classes: number of classes.
    equal: [m classes], number of bank entries exactly as near as the k-th neighbour, by class. They share the votes left for them among the k
      equally; by default the listed neighbours have these votes.
  """
  m = len(labels)
  similarity, labels = similarity[:, :k].astype(np.float64), labels[:, :k]
  place = (labels + classes * np.arange(m)[:, None]).ravel()

  def count(weight):
    return np.bincount(place, weight.ravel(), m * classes).reshape(m, classes)

  weight, one = np.exp((similarity - similarity[:, :1]) / temperature), np.isfinite(similarity).astype(np.float64)
  if equal is None:
    return Votes(count(weight), count(one))
  last = similarity == similarity[:, -1:]
  share = equal / np.maximum(equal.sum(1, keepdims=True), 1) * last.sum(1, keepdims=True)
  return Votes(count(np.where(last, 0, weight)) + share * weight[:, -1:], count(np.where(last, 0, one)) + share)


def votes(
  train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, ks: tuple[int, ...], temperature: float, classes: int, **blocks: int
) -> list[Votes]:
  """Votes for each k. Entries tied for the last places among the k share their votes equally."""
  similarity, index = neighbours(train_x, test_x, max(ks) + 1, **blocks)
  labels = np.asarray(train_y)[index]
  found = []
  for k in ks:
    of_k = vote(similarity, labels, k, temperature, classes)
    last = similarity[:, k - 1]
    tied = np.isfinite(last) & (similarity[:, k] == last)
    if tied.any():
      equal = _equal(train_x, np.asarray(train_y), test_x, last, classes, **blocks)
      shared = vote(similarity, labels, k, temperature, classes, equal)
      of_k = Votes(*(np.where(tied[:, None], a, b) for a, b in zip(shared, of_k, strict=True)))
    found.append(of_k)
  return found


def knn(
  train_x: np.ndarray,
  train_y: np.ndarray,
  test_x: np.ndarray,
  *,
  k: int = 20,
  temperature: float = 0.07,
  classes: int,
  bank_block: int = 4096,
  query_block: int = 512,
) -> Votes:
  """k-nearest-neighbour classification by cosine similarity, weighted and plain.

  weighted_c = sum over the k nearest of exp(s_i / temperature) [y_i = c];  majority_c = sum of [y_i = c]

  Args:
    train_x: [n d], the bank.
    train_y: [n], its classes.
    test_x: [m d].
    k: neighbours that vote.
    temperature: 0.07 in both papers.
    classes: number of classes.
    bank_block: bank entries per block.
    query_block: queries per block; memory is O(query_block * bank_block).

  Returns:
    Votes; argmax over the last axis predicts. Entries tied for the last places among the k share their votes equally, so the order of the bank
    does not matter.

  Reference: Wu, Xiong, Yu, Lin, Unsupervised Feature Learning via Non-Parametric Instance Discrimination, 2018, arXiv:1805.01978, section 3.4;
    Caron et al., Emerging Properties in Self-Supervised Vision Transformers, 2021, arXiv:2104.14294, appendix F.1. Weights here are relative to
    the nearest neighbour's, which does not change predictions and keeps exp finite at small temperatures. The papers take k = 200 and 20.
  """
  if k < 1 or temperature <= 0:
    raise ValueError(f'knn was given k={k}, temperature={temperature}; expected k >= 1 and temperature > 0.')
  if len(train_x) == 0:
    raise ValueError('knn was given an empty bank; expected at least one train example.')
  return votes(train_x, train_y, test_x, (k,), temperature, classes, bank_block=bank_block, query_block=query_block)[0]


@protocol('2', needs=(*TRAIN, *TEST), on_features=True, fits=needs.held_out)
def neighbour_vote(
  data: Frozen, key: Key | None = None, *, ks: tuple[int, ...] = (1, 5, 10, 20, 50), temperature: float = 0.07
) -> dict[str, float]:
  """The `knn` protocol: k is chosen on the validation split, separately for each vote; the test split is evaluated once.

  Args:
    data: features and labels.
    key: unused; the protocol is deterministic.
    ks: candidates for k; the smallest wins a tie.
    temperature: temperature of the weighted vote.

  Returns:
    top1 (with top1_low, top1_high) and k of the weighted vote, top1_majority and k_majority of the plain one.
  """
  held = holdout(data.train_y)
  found = votes(data.train_x[~held], data.train_y[~held], data.train_x[held], ks, temperature, data.classes)
  right = [[hits(scores, data.train_y[held]).mean() for scores in pair] for pair in found]
  best = [int(ks[i]) for i in np.argmax(right, 0)]
  weighted, majority = votes(data.train_x, data.train_y, data.test_x, tuple(best), temperature, data.classes)
  return {
    **accuracy(hits(weighted.weighted, data.test_y)),
    'k': best[0],
    'top1_majority': float(hits(majority.majority, data.test_y).mean()),
    'k_majority': best[1],
  }


def _padded(x: np.ndarray, start: int, size: int) -> np.ndarray:
  rows = np.asarray(x[start : start + size], np.float32)
  return np.pad(rows, ((0, size - len(rows)), (0, 0)))


def _block(bank: np.ndarray, start: int, size: int) -> Array:
  return jax.device_put(_padded(bank, start, size), everywhere())


def _queries(x: np.ndarray, start: int, size: int) -> Array:
  rows = _padded(x, start, size)
  return jax.device_put(rows, spread(rows))


def _equal(bank, labels, queries, last, classes, *, bank_block: int = 4096, query_block: int = 512) -> np.ndarray:
  """Number of bank entries whose similarity to a query is exactly `last` [m], by class: [m classes]."""
  found = []
  for i in range(0, len(queries), query_block):
    q, at, count = _queries(queries, i, query_block), last[i : i + query_block, None], 0.0
    at = np.where(np.isfinite(at), at, np.nan)  # with fewer than k entries, none is tied
    for start in range(0, len(bank), bank_block):
      near = np.asarray(_near(q, _block(bank, start, bank_block), start, len(bank)))[: len(at)]
      row, place = np.nonzero(near == at)
      count += np.bincount(row * classes + labels[start + place], minlength=len(at) * classes).reshape(len(at), classes)
    found.append(count)
  return np.concatenate(found)


@jax.jit
def _near(queries, bank, start, n):
  # A separate program, so that all callers get the same bits.
  near = jnp.dot(l2_normalize(queries), l2_normalize(bank).T, precision='highest')
  return jnp.where(start + jnp.arange(len(bank)) < n, near, -jnp.inf)


@jax.jit
def _merge(near, similarity, index, start):
  place = start + jnp.arange(near.shape[1], dtype=jnp.int32)
  near = jnp.concatenate([similarity, near], 1)
  place = jnp.concatenate([index, jnp.broadcast_to(place, (len(near), len(place)))], 1)
  similarity, pick = jax.lax.top_k(near, similarity.shape[1])
  return similarity, jnp.take_along_axis(place, pick, 1)
