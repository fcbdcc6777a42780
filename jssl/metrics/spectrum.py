"""Ranks of representations by their singular values.

Both functions compute where their argument lies: a NumPy array on the host in float64, without compiling anything; a JAX array on its
device in float32, also under `jax.jit`, where XLA compiles a decomposition of the matrix.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jssl.types import Array


def rankme(z: Float[Array | np.ndarray, 'n d'], eps: float = 1e-7) -> Float[Array, ''] | float:
  """Effective rank: how many directions carry the features, in [1, min(n, d)].

  exp(-sum_k p_k log p_k),  p_k = sigma_k / sum_j sigma_j + eps,  sigma the singular values of z, not centred

  Args:
    z: [n d]; NumPy for the host, as above.
    eps: 1e-7 in the paper.

  Returns:
    []; 0 where z is all zero, NaN where it is not finite.

  Reference: Garrido, Balestriero, Najman, LeCun, RankMe, ICML 2023, arXiv:2210.02885, Eq. 1 and section 3.2 (there
    on 25600 examples). The eigenvalues of a float32 Gram matrix would lose singular values under 1e-3 of the largest.
  """
  xp, z = _placed(z)
  if xp is np and not np.isfinite(z).all():
    return np.nan  # LAPACK need not converge
  sigma = xp.linalg.svd(z / xp.maximum(xp.max(xp.abs(z)), 1e-30), compute_uv=False)
  total = xp.sum(sigma)
  p = sigma / xp.maximum(total, 1e-30)
  entropy = -xp.sum(xp.where(p == 0, 0.0, (p + eps) * xp.log(p + eps)))
  return xp.where(total == 0, 0.0, xp.exp(entropy))[()]


def lidar(z: Float[Array | np.ndarray, 'n q d'], delta: float = 1e-4) -> Float[Array, ''] | float:
  """Effective rank of what tells examples apart, measured in units of what their views differ by.

  exp(-sum_k p_k log p_k),  p = eigenvalues of S_w^-1/2 S_b S_w^-1/2 over their sum, where S_b is the covariance of
  the examples' mean features and S_w that of the views about them, plus delta I

  Args:
    z: [n q d], q views of each of n examples, q >= 2; NumPy for the host, as above.
    delta: ridge on S_w; the paper does not state one.

  Returns:
    []; NaN where z is not finite.

  Reference: Thilak et al., LiDAR, ICLR 2024, arXiv:2312.04000, Eqs. 1-4.
  """
  xp, z = _placed(z)
  if xp is np and not np.isfinite(z).all():
    return np.nan
  n, q, d = z.shape
  mean = xp.mean(z, 1)
  between = mean - xp.mean(mean, 0)
  within = (z - mean[:, None]).reshape(n * q, d)
  with jax.default_matmul_precision('highest'):
    s_b = between.T @ between / max(n - 1, 1)
    s_w = within.T @ within / max(n * (q - 1), 1) + delta * xp.eye(d, dtype=z.dtype)
    root = xp.linalg.cholesky(s_w)  # the generalised problem S_b v = lambda S_w v has the eigenvalues of L^-1 S_b L^-T
    whitened = xp.linalg.solve(root, xp.linalg.solve(root, s_b).T)
  values = xp.maximum(xp.linalg.eigvalsh((whitened + whitened.T) / 2), 0.0)
  p = values / xp.maximum(xp.sum(values), 1e-30)
  return xp.exp(-xp.sum(xp.where(p > 0, p * xp.log(xp.where(p > 0, p, 1.0)), 0.0)))


def _placed(z):
  """numpy or jax.numpy, whichever z is an array of, and z in the precision of its side."""
  return (np, z.astype(np.float64)) if isinstance(z, np.ndarray) else (jnp, z.astype(jnp.float32))
