"""Objectives on the statistics of the batch: views agree while features stay spread out and uncorrelated.

All means, variances and covariances are those of the whole global batch, in float32.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from jssl.ops.normalize import l2_normalize
from jssl.types import Array, Key


def barlow_twins(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, lam: float = 5e-3, eps: float = 1e-5) -> Float[Array, '']:
  """The cross-correlation of two views, regularised towards the identity.

  l = sum_i (1 - C_ii)^2 + lam sum_i sum_{j != i} C_ij^2,   C = Q^T K / b

  Q and K are q and k with every feature standardised to mean 0 and variance 1 over the batch.

  Args:
    q: [b d] embeddings of one view.
    k: [b d] embeddings of the other view.
    lam: lambda, the weight of the redundancy term.
    eps: added to the variances.

  Returns:
    A scalar: it depends on the batch through C alone.

  Reference: Zbontar, Jing, Misra, LeCun, Deny 2021, arXiv:2103.03230, Eq. 1 and 2, Algorithm 1, lam = 5e-3. `eps` is
  that of the batch norm in the official code, which has lam = 0.0051; the paper has none.
  """
  q, k = _standardize(q, eps), _standardize(k, eps)
  c = jnp.matmul(q.T, k, precision='highest') / len(q)
  return jnp.sum((1 - jnp.diagonal(c)) ** 2) + lam * _off_diagonal(c)


def vicreg(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  invariance_weight: float = 25.0,
  variance_weight: float = 25.0,
  covariance_weight: float = 1.0,
  gamma: float = 1.0,
  eps: float = 1e-4,
) -> Float[Array, '']:
  """Invariance, variance and covariance: views agree, every feature varies, no two are correlated.

  l = lambda mean (q - k)^2 + mu (v(q) + v(k))/2 + nu (c(q) + c(k)),   v = `variance`, c = `covariance`

  Args:
    q: [b d] embeddings of one view.
    k: [b d] embeddings of the other view.
    invariance_weight: lambda.
    variance_weight: mu.
    covariance_weight: nu.
    gamma: the standard deviation that every feature should reach.
    eps: added to the variances.

  Returns:
    A scalar: two of its parts depend on the batch as a whole.

  Reference: Bardes, Ponce, LeCun 2022, arXiv:2105.04906, Eq. 1 to 6, weights 25, 25 and 1. As in the official code
  the invariance is a mean over features and the variance a mean over views; Eq. 5 and 6 have sums, so that the
  paper's weights belong to the formula here.
  """
  q, k = q.astype(jnp.float32), k.astype(jnp.float32)
  spread = (variance(q, gamma=gamma, eps=eps) + variance(k, gamma=gamma, eps=eps)) / 2
  redundant = covariance(q) + covariance(k)
  return invariance_weight * jnp.mean((q - k) ** 2) + variance_weight * spread + covariance_weight * redundant


def variance(z: Float[Array, 'b d'], *, gamma: float = 1.0, eps: float = 1e-4) -> Float[Array, '']:
  """The variance part of VICReg: a hinge on the standard deviation of every feature.

  v(z) = mean_j max(0, gamma - sqrt(Var(z_j) + eps)),   Var with b - 1

  Args:
    z: [b d] embeddings.
    gamma: the standard deviation to reach.
    eps: added to the variance.

  Returns:
    A scalar.

  Reference: Bardes, Ponce, LeCun 2022, arXiv:2105.04906, Eq. 1 and 2.
  """
  z = z.astype(jnp.float32)
  z = z - jnp.mean(z, 0)
  deviation = jnp.sqrt(jnp.sum(z * z, 0) / max(len(z) - 1, 1) + eps)
  return jnp.mean(jax.nn.relu(gamma - deviation))


def covariance(z: Float[Array, 'b d']) -> Float[Array, '']:
  """The covariance part of VICReg: the squared covariances of different features.

  c(z) = 1/d sum_{i != j} C_ij^2,   C = Z^T Z / (b - 1),   Z = z - mean z

  Args:
    z: [b d] embeddings.

  Returns:
    A scalar.

  Reference: Bardes, Ponce, LeCun 2022, arXiv:2105.04906, Eq. 3 and 4.
  """
  z = z.astype(jnp.float32)
  z = z - jnp.mean(z, 0)
  return _off_diagonal(jnp.matmul(z.T, z, precision='highest') / max(len(z) - 1, 1)) / z.shape[1]


def w_mse(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, size: int | None = None, permutations: Int[Array, 'r b'] | None = None, eps: float = 1e-4
) -> Float[Array, ' b']:
  """Distance on the sphere between two views, each whitened within sub-batches.

  l_i = 2 - 2 cos(w(q)_i, w(k)_i),   w(z) = L^{-1} (z - mean z),   L L^T = (1 - eps) Cov(z) + eps v I

  Mean and covariance (with size - 1) are those of the sub-batch and view that z_i is in, v is the mean of its d variances;
  L is the Cholesky factor.

  Args:
    q: [b d] embeddings of one view.
    k: [b d] embeddings of the other view.
    size: rows of a sub-batch, a divisor of b, at least 2d for a reliable estimate; None for the whole batch.
    permutations: [r b] integers; l is the mean over r orders of the batch, each divided into sub-batches. None divides the batch in its own
      order, which is already random for shuffled data.
    eps: shrinks the covariance towards v I, so that embeddings of any scale are whitened alike. With the identity in its place, embeddings
      with variances below eps would not be whitened, and could collapse.

  Returns:
    [b].

  Raises:
    ValueError: if `size` does not divide b.

  Reference: Ermolov, Siarohin, Sangineto, Sebe 2021, arXiv:2007.06346, section 3. The official code draws one permutation per step (4 for
  STL-10 and Tiny ImageNet), size 128 for d = 64 and 256 for d = 128. Its eps is 0, which gives NaN for a
  covariance that is not of full rank.
  """
  b, d = q.shape
  size = size or b
  if b % size:
    raise ValueError(f'w_mse cuts the batch into equal parts: size {size} does not divide {b}; choose one that does')
  order = jnp.arange(b)[None] if permutations is None else permutations
  q, k = (l2_normalize(_whiten(z.astype(jnp.float32)[order].reshape(-1, size, d), eps)) for z in (q, k))
  loss = 2 - 2 * jnp.sum(q * k, -1)
  return jnp.zeros(b).at[order.reshape(-1)].add(loss.reshape(-1)) / len(order)


def tico(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, covariance: Float[Array, 'd d'], beta: float = 0.9, rho: float = 8.0
) -> Float[Array, ' b']:
  """Invariance to transformations, and contrast with the second moment of all earlier embeddings.

  l_i = 1 - q_i.k_i + rho q_i^T C q_i,   C = `tico_covariance`(q) with unit-length rows

  Args:
    q: [b d] embeddings of the trained encoder.
    k: [b d] embeddings of the momentum encoder.
    covariance: [d d] C of the previous step; zeros at the start.
    beta: decay of C.
    rho: the weight of the contrast.

  Returns:
    [b].

  Reference: Zhu, Moraes, Karakulak, Sobol, Canziani, LeCun 2022, arXiv:2206.10698, Eq. 4 and its pseudo-code, beta =
  0.9, rho = 8. Stop-gradient on C, this batch's share included, and on k.
  """
  c = jax.lax.stop_gradient(tico_covariance(q, covariance=covariance, beta=beta))
  q, k = l2_normalize(q), jax.lax.stop_gradient(l2_normalize(k))
  return 1 - jnp.sum(q * k, -1) + rho * jnp.sum(jnp.matmul(q, c, precision='highest') * q, -1)


def tico_covariance(q: Float[Array, 'b d'], *, covariance: Float[Array, 'd d'], beta: float = 0.9) -> Float[Array, 'd d']:
  """The running second moment of TiCo, to be kept for the next step: beta C + (1 - beta) Q^T Q / b, [d d]."""
  q = l2_normalize(q)
  return beta * covariance + (1 - beta) * jnp.matmul(q.T, q, precision='highest') / len(q)


def sigreg(
  z: Float[Array, 'b d'], *, key: Key, directions: int = 1024, points: int = 17, limit: float = 5.0, moments: bool = False
) -> Float[Array, '']:
  """Sketched isotropic Gaussian regularisation: the distance of the embeddings from N(0, I), along random directions.

  l = b mean_a integral_{-L}^{L} |phi_a(t) - g(t)|^2 g(t) dt,   phi_a(t) = mean_j exp(i t a.z_j),   g(t) = exp(-t^2/2)

  The directions a are uniform on the sphere and drawn anew at each step; the integral is the trapezoidal rule.

  Args:
    z: [b d] embeddings of one view, of any length.
    key: random key for the directions.
    directions: number of them.
    points: of the rule on [0, L], which stand for those on [-L, 0] too, as the integrand is even.
    limit: L.
    moments: in place of the statistic of Epps and Pulley, the first two moments along a: l = b mean_a mean(a.z)^2 + (std(a.z) - 1)^2.

  Returns:
    A scalar: it depends on the batch through averages alone. Its mean is about that of b = 1 for embeddings from N(0, I), and grows with b for
    others.

  Reference: Balestriero, LeCun 2025, arXiv:2511.08544, section 4.2.3 (the statistic of Epps, Pulley 1983, doi:10.1093/biomet/70.3.723) and
  Algorithm 1, with 17 points on [-5, 5]; section 6.1 recommends 1,024 directions. The official code has L = 3. `moments` is the test of section
  5.2, in which VICReg is the limit of many directions. No stop-gradient.
  """
  z = z.astype(jnp.float32)
  a = l2_normalize(jax.random.normal(key, (z.shape[1], directions)), 0)
  x = jnp.matmul(z, a, precision='highest')
  if moments:
    mean = jnp.mean(x, 0)
    deviation = jnp.sqrt(jnp.mean((x - mean) ** 2, 0) + 1e-12)
    return len(z) * jnp.mean(mean**2 + (deviation - 1) ** 2)
  t = limit * jnp.linspace(0, 1, points)
  gaussian = jnp.exp(-t * t / 2)
  angle = x[..., None] * t
  error = (jnp.mean(jnp.cos(angle), 0) - gaussian) ** 2 + jnp.mean(jnp.sin(angle), 0) ** 2
  return 2 * len(z) * jnp.mean(jnp.trapezoid(error * gaussian, t))


def _whiten(z: Array, eps: float) -> Array:
  """[s w d] to the same, every sub-batch s with mean 0 and, for eps = 0, the identity as covariance."""
  w, d = z.shape[1:]
  z = z - jnp.mean(z, 1, keepdims=True)
  cov = jnp.einsum('swi,swj->sij', z, z, precision='highest') / max(w - 1, 1)
  v = jnp.trace(cov, axis1=1, axis2=2)[:, None, None] / d
  # The last term is for sub-batches without any variance.
  factor = jnp.linalg.cholesky((1 - eps) * cov + (eps * v + 1e-12) * jnp.eye(d))
  return jax.lax.linalg.triangular_solve(factor, z, lower=True, transpose_a=True)  # z L^{-T}


def _standardize(z: Array, eps: float) -> Array:
  z = z.astype(jnp.float32)
  z = z - jnp.mean(z, 0)
  return z * jax.lax.rsqrt(jnp.mean(z * z, 0) + eps)


def _off_diagonal(c: Array) -> Array:
  """The sum of the squares off the diagonal; masked, since a difference of two sums would cancel."""
  return jnp.sum(jnp.where(jnp.eye(len(c), dtype=bool), 0, c) ** 2)
