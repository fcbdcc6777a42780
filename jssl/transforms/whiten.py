"""Linear maps that change the second moments of a representation; labels are not used."""

from typing import NamedTuple

import jax.numpy as jnp

from jssl.types import Array, Transform


class Affine(NamedTuple):
  """x -> (x - mean) W."""

  mean: Array  # [d]
  weights: Array  # [d k], or [d] for a diagonal map


def _apply(state: Affine, x: Array) -> Array:
  x = x.astype(jnp.float32) - state.mean
  return x * state.weights if state.weights.ndim == 1 else jnp.matmul(x, state.weights, precision='highest')


def _principal(x: Array, tol: float) -> tuple[Array, Array, Array]:
  """Mean [d], principal directions [d m], and 1 / standard deviation along them [m], 0 for zero variance.

  By the SVD of the centred features: in float32, their covariance would lose directions below 1e-3 of the largest.
  """
  x = x.astype(jnp.float32)
  mean = jnp.mean(x, 0)
  _, s, v = jnp.linalg.svd(x - mean, full_matrices=False)
  alive = s > tol * jnp.maximum(s[0], 1e-30)
  return mean, v.T, jnp.where(alive, jnp.sqrt(len(x)) / jnp.where(alive, s, 1.0), 0.0)


def _check(dim: int | None, x: Array) -> None:
  if dim is not None and not 1 <= dim <= min(x.shape):
    raise ValueError(f'dim={dim}: features {tuple(x.shape)} have at most {min(x.shape)} principal directions')


def standardize(*, tol: float = 1e-6) -> Transform:
  """Standardises every feature to mean 0 and variance 1.

  x_j -> (x_j - mu_j) / sigma_j

  Args:
    tol: a feature with sigma below this share of the largest becomes 0, rather than amplified noise.

  Returns:
    Transform: fit(x [n d]) -> Affine, apply -> [... d] float32.
  """

  def fit(x, labels=None):
    x = x.astype(jnp.float32)
    mean = jnp.mean(x, 0)
    sigma = jnp.sqrt(jnp.mean((x - mean) ** 2, 0))
    alive = sigma > tol * jnp.maximum(jnp.max(sigma), 1e-30)
    return Affine(mean, jnp.where(alive, 1 / jnp.where(alive, sigma, 1.0), 0.0))

  return Transform(fit, _apply)


def pca_whiten(*, dim: int | None = None, tol: float = 1e-5) -> Transform:
  """PCA whitening: projects onto the principal directions, strongest first, and scales the covariance to the identity.

  x -> (x - mu) U D^(-1/2),   Sigma = (1/n) sum_i (x_i - mu)(x_i - mu)' = U D U'

  This is the whitening of WhiteningBERT, whose sentence vectors are the mean of the first and the last layer, each averaged over tokens; the
  statistics are those of the compared sentences.

  Args:
    dim: number of directions to keep; all by default.
    tol: directions with a standard deviation below this share of the largest become 0. With fewer examples than features, there are always
      some.

  Returns:
    Transform: fit(x [n d]) -> Affine, apply -> [... dim] float32; dim is min(n, d) by default.

  Raises:
    ValueError: if dim exceeds the number of directions.

  Reference: Huang, Tang, Zhong, Lu, Shou, Gong, Jiang, Duan, WhiteningBERT, 2021, arXiv:2104.01767, section 2.3. The official code omits the
    1/n in Sigma, a common factor that does not affect cosines, and divides by zero if n < d.
  """

  def fit(x, labels=None):
    _check(dim, x)
    mean, u, scale = _principal(x, tol)
    return Affine(mean, (u * scale)[:, :dim])

  return Transform(fit, _apply)


def zca_whiten(*, tol: float = 1e-5) -> Transform:
  """ZCA whitening: of all maps to identity covariance, the one that changes the features least.

  x -> (x - mu) U D^(-1/2) U'

  Args:
    tol: as in `pca_whiten`.

  Returns:
    Transform: fit(x [n d]) -> Affine, apply -> [... d] float32.

  Reference: Kessy, Lewin, Strimmer, Optimal whitening and decorrelation, 2018, arXiv:1512.00809, section 3.1.
  """

  def fit(x, labels=None):
    mean, u, scale = _principal(x, tol)
    return Affine(mean, jnp.matmul(u * scale, u.T, precision='highest'))

  return Transform(fit, _apply)


def all_but_the_top(*, dim: int | None = None) -> Transform:
  """Removes the mean and the few strongest directions, which encode frequency rather than meaning.

  x -> (x - mu) - sum_{i <= dim} u_i u_i' (x - mu)

  Args:
    dim: D, number of directions to remove; by default d / 100 rounded, at least 1, as suggested in the paper.

  Returns:
    Transform: fit(x [n d]) -> Affine, apply -> [... d] float32.

  Raises:
    ValueError: if dim exceeds the number of directions.

  Reference: Mu, Viswanath, All-but-the-Top, 2018, arXiv:1702.01417, Algorithm 1. Implementations remove the directions either from x or from x
    - mu, which differs by a constant vector; here the result has mean 0.
  """

  def fit(x, labels=None):
    _check(dim, x)
    mean, u, _ = _principal(x, 0.0)
    top = u[:, : dim or max(1, round(x.shape[1] / 100))]
    return Affine(mean, jnp.eye(x.shape[1]) - jnp.matmul(top, top.T, precision='highest'))

  return Transform(fit, _apply)
