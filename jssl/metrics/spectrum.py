"""Ranks of representations by their singular values."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jssl.types import Array


def rankme(z: Float[Array, 'n d'], eps: float = 1e-7) -> Float[Array, '']:
  """Effective rank: how many directions carry the features, in [1, min(n, d)].

  exp(-sum_k p_k log p_k),  p_k = sigma_k / sum_j sigma_j + eps,  sigma the singular values of z, not centred

  Args:
    z: [n d].
    eps: 1e-7 in the paper.

  Returns:
    [], float32; 0 where z is all zero, NaN where it is not finite.

  Reference: Garrido, Balestriero, Najman, LeCun, RankMe, ICML 2023, arXiv:2210.02885, Eq. 1 and section 3.2 (there
    on 25600 examples). The eigenvalues of a float32 Gram matrix would lose singular values under 1e-3 of the largest.
  """
  z = z.astype(jnp.float32)
  sigma = jnp.linalg.svd(z / jnp.maximum(jnp.max(jnp.abs(z)), 1e-30), compute_uv=False)
  total = jnp.sum(sigma)
  p = sigma / jnp.maximum(total, 1e-30)
  entropy = -jnp.sum(jnp.where(p == 0, 0.0, (p + eps) * jnp.log(p + eps)))
  return jnp.where(total == 0, 0.0, jnp.exp(entropy))


def lidar(z: Float[Array, 'n q d'], delta: float = 1e-4) -> Float[Array, '']:
  """Effective rank of what tells examples apart, measured in units of what their views differ by.

  exp(-sum_k p_k log p_k),  p = eigenvalues of S_w^-1/2 S_b S_w^-1/2 over their sum, where S_b is the covariance of
  the examples' mean features and S_w that of the views about them, plus delta I

  Args:
    z: [n q d], q views of each of n examples, q >= 2.
    delta: ridge on S_w; the paper does not state one.

  Returns:
    [], float32.

  Reference: Thilak et al., LiDAR, ICLR 2024, arXiv:2312.04000, Eqs. 1-4.
  """
  n, q, d = z.shape
  z = z.astype(jnp.float32)
  mean = jnp.mean(z, 1)
  between = mean - jnp.mean(mean, 0)
  within = (z - mean[:, None]).reshape(n * q, d)
  s_b = jnp.matmul(between.T, between, precision='highest') / max(n - 1, 1)
  s_w = jnp.matmul(within.T, within, precision='highest') / max(n * (q - 1), 1) + delta * jnp.eye(d)
  root = jnp.linalg.cholesky(s_w)  # L^-1 S_b L^-T has the same eigenvalues
  half = jax.scipy.linalg.solve_triangular(root, s_b, lower=True)
  whitened = jax.scipy.linalg.solve_triangular(root, half.T, lower=True)
  values = jnp.maximum(jnp.linalg.eigvalsh((whitened + whitened.T) / 2), 0.0)
  p = values / jnp.maximum(jnp.sum(values), 1e-30)
  return jnp.exp(-jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0)))
