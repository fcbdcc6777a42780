"""Linear maps that reshape the second moments of a representation; no labels are read."""

from typing import NamedTuple

import jax.numpy as jnp

from jssl.types import Array, Transform


class Affine(NamedTuple):
  """x -> (x - mean) W."""

  mean: Array  # [d]
  weights: Array  # [d k], or [d] where the map is diagonal


def _apply(state: Affine, x: Array) -> Array:
  x = x.astype(jnp.float32) - state.mean
  return x * state.weights if state.weights.ndim == 1 else jnp.matmul(x, state.weights, precision='highest')


def _principal(x: Array, tol: float) -> tuple[Array, Array, Array]:
  """Mean [d], principal directions [d m], and 1 / standard deviation along them [m], 0 where there is none.

  By the SVD of the centred features: their covariance would lose what is under 1e-3 of the largest in float32.
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
  """Every feature to mean 0 and variance 1.

  x_j -> (x_j - mu_j) / sigma_j

  Args:
    tol: a feature whose sigma is under this share of the largest becomes 0 instead of noise blown up.

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
  """Rotated to the principal directions, strongest first, and scaled so that the covariance is the identity.

  x -> (x - mu) U D^(-1/2),   Sigma = (1/n) sum_i (x_i - mu)(x_i - mu)' = U D U'

  This is the whitening of WhiteningBERT, whose sentence vectors are the mean of the first and the last layer, each
  averaged over tokens; the statistics are those of the very sentences that are compared.

  Args:
    dim: how many directions to keep; all by default.
    tol: directions whose standard deviation is under this share of the largest become 0. With fewer examples than
      features there always are some.

  Returns:
    Transform: fit(x [n d]) -> Affine, apply -> [... dim] float32; dim is min(n, d) by default.

  Raises:
    ValueError: dim exceeds the number of directions.

  Reference: Huang, Tang, Zhong, Lu, Shou, Gong, Jiang, Duan, WhiteningBERT, 2021, arXiv:2104.01767, section 2.3. The
    official code leaves the 1/n out of Sigma, a common factor that no cosine sees, and divides by zero where n < d.
  """

  def fit(x, labels=None):
    _check(dim, x)
    mean, u, scale = _principal(x, tol)
    return Affine(mean, (u * scale)[:, :dim])

  return Transform(fit, _apply)


def zca_whiten(*, tol: float = 1e-5) -> Transform:
  """Whitened in place: of all maps to identity covariance the one that moves the features least.

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
  """The mean and the few strongest directions, which carry frequency rather than meaning, taken out.

  x -> (x - mu) - sum_{i <= dim} u_i u_i' (x - mu)

  Args:
    dim: D, how many directions go; d / 100 rounded, at least 1, by default, as the paper suggests.

  Returns:
    Transform: fit(x [n d]) -> Affine, apply -> [... d] float32.

  Raises:
    ValueError: dim exceeds the number of directions.

  Reference: Mu, Viswanath, All-but-the-Top, 2018, arXiv:1702.01417, Algorithm 1. Implementations differ on whether
    the directions are taken out of x or of x - mu, which differs by one constant vector; here the result has mean 0.
  """

  def fit(x, labels=None):
    _check(dim, x)
    mean, u, _ = _principal(x, 0.0)
    top = u[:, : dim or max(1, round(x.shape[1] / 100))]
    return Affine(mean, jnp.eye(x.shape[1]) - jnp.matmul(top, top.T, precision='highest'))

  return Transform(fit, _apply)
