"""Projections that prevent a linear classifier from predicting an attribute."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.ops.logistic import logistic, logits
from jssl.types import Array, Transform


class Nullspace(NamedTuple):
  """x -> x P."""

  projection: Array  # [d d], symmetric
  accuracy: Array  # [rounds], of each round's classifier on its training data
  kept: Array  # [rounds] bool: the round's directions were removed


class Erasure(NamedTuple):
  """x -> x - (x - mean) right left."""

  mean: Array  # [d]
  right: Array  # [d k]
  left: Array  # [k d]


def inlp(*, classes: int = 2, rounds: int = 10, l2: float = 1e-3, margin: float = 0.0, labels: str = 'label') -> Transform:
  """Iterative nullspace projection: repeatedly fits a linear classifier and projects its directions out.

  W_i = argmin CE(softmax(x P_{i-1} W + b), z) + l2/2 |W|^2,   R_i = projection on the column space of W_i,
  P_i = projection on the nullspace of R_1 + ... + R_i

  A round removes at most classes - 1 directions. Only linear classifiers are guarded against: a non-linear one may still find the attribute.

  Args:
    classes: number of values of the attribute.
    rounds: n. The paper needs 35 for biased word vectors.
    l2: the penalty of the classifiers; it depends on the scale of features, so standardise them first.
    margin: a round is only applied if its classifier exceeds the majority class by this much on its training data. 0 stops when no information
      is left; -1 never stops.
    labels: the column with the attribute.

  Returns:
    Transform: fit(x [n d], z [n] int) -> Nullspace, apply -> [... d] float32.

  Raises:
    ValueError: for fewer than two classes, or fewer than one round.

  Reference: Ravfogel, Elazar, Gonen, Twiton, Goldberg 2020, arXiv:2004.07667, Algorithm 1; the projection on the intersection of nullspaces
    follows the official code. There, the classifier is any of scikit-learn's, and the threshold is an accuracy on held-out data.
  """
  if classes < 2 or rounds < 1:
    raise ValueError(f'inlp(classes={classes}, rounds={rounds}): expected at least 2 classes and 1 round')

  def fit(x, z):
    x = x.astype(jnp.float32)
    y = jax.nn.one_hot(z, classes)
    majority = jnp.max(jnp.mean(y, 0))

    def one(carry, _):
      p, total = carry
      xp = jnp.matmul(x, p, precision='highest')
      model = logistic(xp, y, l2=l2)
      accuracy = jnp.mean(jnp.argmax(logits(model, xp), -1) == z)
      keep = accuracy > majority + margin
      w = jnp.matmul(p, model.weights, precision='highest')  # exactly within the remaining subspace
      total = total + keep * _onto(w - jnp.mean(w, 1, keepdims=True), classes - 1)
      return (jnp.eye(x.shape[1]) - _range(total), total), (accuracy, keep)

    start = jnp.eye(x.shape[1]), jnp.zeros((x.shape[1], x.shape[1]))
    (p, _), (accuracy, kept) = jax.lax.scan(one, start, length=rounds)
    return Nullspace(p, accuracy, kept)

  return Transform(fit, lambda state, x: jnp.matmul(x.astype(jnp.float32), state.projection, precision='highest'), labels)


def _onto(w: Array, rank: int) -> Array:
  """Projection onto the column space of w [d k], of at most this rank; 0 if w is 0."""
  u, s, _ = jnp.linalg.svd(w, full_matrices=False)
  u = u * (s > jnp.maximum(1e-4 * s[0], 1e-12))
  return jnp.matmul(u[:, :rank], u[:, :rank].T, precision='highest')


def _range(total: Array) -> Array:
  """Projection onto the range of a sum of projections, whose eigenvalues are 0 or well above it."""
  s, u = jnp.linalg.eigh(total)
  u = u * (s > 0.01)
  return jnp.matmul(u, u.T, precision='highest')


def random_directions(*, dim: int = 10, seed: int = 0) -> Transform:
  """The control of `inlp`: removes the same number of random directions.

  x -> x (I - Q Q'),   Q [d dim] uniform over orthonormal frames

  Args:
    dim: number of directions to remove.
    seed: seed of the directions.

  Returns:
    Transform: fit(x [n d]) -> Nullspace, apply -> [... d] float32.

  Raises:
    ValueError: if dim exceeds d.
  """

  def fit(x, z=None):
    d = x.shape[1]
    if not 1 <= dim <= d:
      raise ValueError(f'dim={dim}: features of width {d} have 1 to {d} directions to remove')
    q, _ = jnp.linalg.qr(jax.random.normal(jax.random.key(seed), (d, dim)))
    p = jnp.eye(d) - jnp.matmul(q, q.T, precision='highest')
    return Nullspace(p, jnp.zeros(0), jnp.zeros(0, bool))

  return Transform(fit, lambda state, x: jnp.matmul(x.astype(jnp.float32), state.projection, precision='highest'))


def leace(*, classes: int | None = None, tol: float = 1e-4, labels: str = 'label') -> Transform:
  """Least-squares concept erasure, in closed form: no linear classifier does better than a constant, and no map that
  achieves this moves the features less.

  x -> x - W^+ P W (x - mu),   W = Sigma_xx^(-1/2),   P = projection on the column space of W Sigma_xz

  Args:
    classes: number of values of an integer attribute; None if z is given as numeric columns.
    tol: directions whose standard deviation, and columns whose correlation with z, is below this share of the largest are treated as rounding
      errors.
    labels: the column with the attribute.

  Returns:
    Transform: fit(x [n d], z [n] int or [n k] float) -> Erasure, apply -> [... d] float32.

  Raises:
    ValueError: for integer z without classes, or columns with classes.

  Reference: Belrose, Schneider-Joseph, Ravfogel, Cotterell, Raff, Biderman 2023, arXiv:2306.03819, section
    4. The official code shrinks Sigma_xx and bounds the trace after erasure by default; here, as in the theorem,
    the statistics are those of the examples.
  """

  def fit(x, z):
    if (z.ndim == 1) != (classes is not None):
      raise ValueError(f'leace(classes={classes}) of z {tuple(z.shape)}: give [n] with classes, or [n k] without')
    x = x.astype(jnp.float32)
    z = (z if classes is None else jax.nn.one_hot(z, classes)).astype(jnp.float32)
    mean = jnp.mean(x, 0)
    a, s, v = jnp.linalg.svd(x - mean, full_matrices=False)  # W = v' diag(1/s) v, up to the factor sqrt(n)
    alive = s > tol * jnp.maximum(s[0], 1e-30)
    # W Sigma_xz in the basis v is a'(z - mean z): nothing is divided by s, so nothing is lost
    white = jnp.matmul(a.T, z - jnp.mean(z, 0), precision='highest') * alive[:, None]
    u, strength, _ = jnp.linalg.svd(white, full_matrices=False)
    u = u * (strength > tol * jnp.sqrt(len(x)))
    right = jnp.matmul(v.T * jnp.where(alive, 1 / jnp.where(alive, s, 1.0), 0.0), u, precision='highest')
    left = jnp.matmul(u.T, s[:, None] * v, precision='highest')
    return Erasure(mean, right, left)

  def apply(state, x):
    x = x.astype(jnp.float32)
    read = jnp.matmul(x - state.mean, state.right, precision='highest')
    return x - jnp.matmul(read, state.left, precision='highest')

  return Transform(fit, apply, labels)
