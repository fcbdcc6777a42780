"""Nuisance models by cross-fitting: every example is predicted by a model that did not see it."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Num

from jssl.ops.logistic import logistic, logits
from jssl.types import Array, Key


def cross_fit(
  x: Num[np.ndarray, 'n c'],
  z: Num[np.ndarray, ' n'],
  seen: Num[np.ndarray, ' n'] | Bool[np.ndarray, ' n'],
  *,
  key: Key,
  folds: int = 5,
  l2: float = 1e-3,
  floor: float = 0.05,
) -> tuple[Float[np.ndarray, ' n'], Float[np.ndarray, ' n']]:
  """Who is seen, and what is missing, as predicted from the rest by models that did not see the example.

  e(x) = P(seen | x),   m(x) = P(z = 1 | x, seen), each a logistic regression fitted to the other folds

  Args:
    x: [n c], all that z and its being missing may depend on: covariates, and the label one-hot.
    z: [n] in {0, 1}; what it holds where it is missing does not matter.
    seen: [n], whether z is observed.
    key: of the folds.
    folds: how many.
    l2: penalty, on standardised columns.
    floor: e is held above this, so that no example weighs more than its inverse.

  Returns:
    (e, m), each [n] float32: for `doubly_robust` and its kin in `jssl.objectives.discrepancy`.

  Raises:
    ValueError: z is observed nowhere, or fewer than two folds.

  Reference: Goldstein et al. 2021, arXiv:2112.00881; Chernozhukov et al. 2018, arXiv:1608.00060, Definition 3.1, for
    the cross-fitting.
  """
  seen = np.asarray(seen).astype(bool)
  if folds < 2 or not seen.any():
    raise ValueError(f'cross_fit needs 2 folds and some observed z; given {folds} folds and {seen.sum()} observed')
  z = np.where(seen, z, 0).astype(int)
  x = np.asarray(x, np.float64)
  std = x.std(0)
  scaled = jnp.asarray((x - x.mean(0)) * np.where(std > 1e-6, 1 / np.maximum(std, 1e-6), 0), jnp.float32)
  fold = np.asarray(jax.random.permutation(key, len(seen))) % folds
  chance = lambda y, w: np.asarray(_chance(scaled, jax.nn.one_hot(y, 2), w.astype(np.float32), l2))
  e, m = np.zeros(len(seen), np.float32), np.zeros(len(seen), np.float32)
  for i in range(folds):
    rest, here = fold != i, fold == i
    e[here] = chance(seen.astype(int), rest)[here]
    m[here] = chance(z, rest & seen)[here]
  return np.maximum(e, floor), m


@jax.jit
def _chance(x: Array, y: Array, weight: Array, l2: float) -> Array:
  return jax.nn.softmax(logits(logistic(x, y, weight, l2=l2), x))[:, 1]
