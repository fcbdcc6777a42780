"""Rankings and choices whose ties are broken by no position: equal scores share what they would get in a random order."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num

from jssl.types import Array, Key


def products(q: Float[np.ndarray, 'n k'], d: Float[np.ndarray, 'm k']) -> Float[np.ndarray, 'n m']:
  """All dot products of q [n k] with d [m k], [n m] float32.

  They are summed in float64, so that equal vectors score equal whatever their place: a float32 product rounds differently at
  the edges of its blocks.
  """
  return (np.asarray(q, np.float64) @ np.asarray(d, np.float64).T).astype(np.float32)


def ranks(
  scores: Float[Array | np.ndarray, 'b n'], true: Int[Array | np.ndarray, ' b'], keep: Bool[Array | np.ndarray, 'b n'] | None = None
) -> Float[np.ndarray, ' b']:
  """The rank from 1 of entry `true` of each row among the entries kept, those that tie with it counting a half each.

  Args:
    scores: [b n].
    true: [b], which entry; it counts whether it is kept or not.
    keep: [b n] bool; all unless given.

  Returns:
    [b] float: the mean of the best and the worst rank.

  Reference: Berrendorf, Faerman, Vermue, Tresp 2020, arXiv:2002.06914, section 3 (realistic rank).
  """
  scores, true = np.asarray(scores), np.asarray(true)
  mine = np.take_along_axis(scores, true[:, None], 1)
  others = np.arange(scores.shape[1]) != true[:, None]
  keep = others if keep is None else keep & others
  return 1 + (keep & (scores > mine)).sum(1) + (keep & (scores == mine)).sum(1) / 2


def choices(scores: Float[Array | np.ndarray, 'n c'], tolerance: float = 0.0) -> Float[np.ndarray, 'n c']:
  """The chance of each entry to be chosen as the best, where one of several equals is chosen at random.

  Args:
    scores: [n c].
    tolerance: how far, relative to the larger of 1 and the best score, a score may be from the best and still be its equal. For
      what is fitted in float32, where scores that should be equal differ by rounding.

  Returns:
    [n c] float64, rows sum to 1.
  """
  scores = np.asarray(scores, np.float64)
  best = scores.max(1, keepdims=True)
  equal = scores >= best - tolerance * np.maximum(np.abs(best), 1)
  return equal / equal.sum(1, keepdims=True)


def hits(scores: Float[Array | np.ndarray, 'n c'], labels: Int[Array | np.ndarray, ' n'], tolerance: float = 0.0) -> Float[np.ndarray, ' n']:
  """The chance that the label is chosen, [n] in [0, 1]; arguments as in `choices`, and labels [n]."""
  return np.take_along_axis(choices(scores, tolerance), np.asarray(labels)[:, None], 1)[:, 0]


def above(first: Float[Array | np.ndarray, ' n'], second: Float[Array | np.ndarray, ' n']) -> float:
  """The share of pairs whose first score is the higher; equal ones count a half, so that constant scores have 0.5."""
  first, second = np.asarray(first), np.asarray(second)
  return float(np.mean((first > second) + (first == second) / 2))


def correlations(x: Num[Array | np.ndarray, ' n'], y: Num[Array | np.ndarray, ' n']) -> dict[str, float]:
  """Spearman's and Pearson's correlation; 0 where one side is constant and has no order to compare."""
  from scipy.stats import pearsonr, spearmanr

  x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
  if np.ptp(x) == 0 or np.ptp(y) == 0:
    return {'spearman': 0.0, 'pearson': 0.0}
  return {'spearman': float(spearmanr(x, y).statistic), 'pearson': float(pearsonr(x, y).statistic)}


def likeliest(key: Key, scores: Float[Array, '*n c']) -> Int[Array, ' *n']:
  """The index of the largest of scores [... c], one of several equals at random; for use under `jax.jit`."""
  best = scores == jnp.max(scores, -1, keepdims=True)
  return jnp.argmax(jnp.where(best, jax.random.uniform(key, scores.shape), -1.0), -1)
