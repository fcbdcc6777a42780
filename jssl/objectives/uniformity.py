"""Alignment of positives and uniformity on the sphere."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from jssl.objectives.contrastive import as_float32, log_sum_exp_of, own_pairs
from jssl.ops.normalize import l2_normalize
from jssl.ops.pairwise import unlike
from jssl.types import Array


def alignment(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, alpha: float = 2.0) -> Float[Array, ' b']:
  """Alignment: the distance between the two views of an example on the sphere.

  l_i = |q_i - k_i|^alpha

  Args:
    q: [b d] embeddings of one view.
    k: [b d] embeddings of the other view.
    alpha: the power; 2 in the paper.

  Returns:
    [b].

  Reference: Wang, Isola 2020, arXiv:2005.10242, section 4.1.1.
  """
  square = jnp.sum((l2_normalize(q) - l2_normalize(k)) ** 2, -1)
  apart = square > 0
  return jnp.where(apart, jnp.where(apart, square, 1) ** (alpha / 2), 0)


def uniformity(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'] | None = None, *, t: float = 2.0, ids: Int[Array, ' b'] | None = None, chunk: int | None = None
) -> Float[Array, '']:
  """Uniformity: the logarithm of the mean Gaussian potential between different examples on the sphere.

  u(x) = log mean_{i != j} exp(-t |x_i - x_j|^2),   l = (u(q) + u(k))/2, or u(q) alone

  Args:
    q: [b d] embeddings.
    k: [b d] embeddings of the other view, or None.
    t: the inverse width; 2 in the paper.
    ids: [b] integers; pairs of equal id are left out.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    A scalar, since the logarithm does not separate; 0 where there are no pairs.

  Reference: Wang, Isola 2020, arXiv:2005.10242, section 4.1.2.
  """
  if k is not None:
    return (uniformity(q, t=t, ids=ids, chunk=chunk) + uniformity(k, t=t, ids=ids, chunk=chunk)) / 2
  (q,), ids = as_float32(q), own_pairs(ids, q)
  pairs = jnp.sum(unlike(ids).astype(jnp.float32))  # may exceed 2^31
  # |x_i - x_j|^2 = 2 - 2 x_i.x_j, so that the sum over j is one more log-sum-exp of dot products.
  potential = jax.nn.logsumexp(log_sum_exp_of(q, q, ids, ids, 1 / (2 * t), chunk)) - 2 * t
  return jnp.where(pairs > 0, potential - jnp.log(jnp.maximum(pairs, 1)), 0)


def align_uniform(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  alpha: float = 2.0,
  t: float = 2.0,
  uniformity_weight: float = 1.0,
  ids: Int[Array, ' b'] | None = None,
  chunk: int | None = None,
) -> Float[Array, ' b']:
  """Alignment plus uniformity: the two properties that the contrastive loss promotes, optimised directly.

  l_i = |q_i - k_i|^alpha + w (u(q) + u(k))/2,   u as in `uniformity`

  Args:
    q: [b d] embeddings of one view.
    k: [b d] embeddings of the other view.
    alpha: the power of the alignment.
    t: the inverse width of the uniformity.
    uniformity_weight: w.
    ids: [b] integers; pairs of equal id do not count for uniformity.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b]; the second summand is the same for every example.

  Reference: Wang, Isola 2020, arXiv:2005.10242, section 4.1; alpha = t = 2, weights 0.98 and 0.96 for the
  best encoder on STL-10.
  """
  q, k = as_float32(q, k)
  return alignment(q, k, alpha=alpha) + uniformity_weight * uniformity(q, k, t=t, ids=ids, chunk=chunk)


def koleo(q: Float[Array, 'b d'], *, eps: float = 1e-8) -> Float[Array, ' b']:
  """Pushes every example away from its nearest neighbour on the sphere, so that the batch spreads out evenly.

  l_i = -log( min_{j != i} |q_i - q_j| + eps )

  Its mean is, up to a constant and a factor, the Kozachenko-Leonenko estimate of the negative differential entropy.

  Args:
    q: [b d] embeddings, scaled to unit length here.
    eps: added to the distance.

  Returns:
    [b]; 0 for a batch of one example. Equal rows have a finite loss, -log(eps), and no gradient.

  Reference: Sablayrolles, Douze, Schmid, Jegou, ICLR 2019, arXiv:1806.03198, Eq. 2, without `eps`; Oquab et al. (DINOv2) 2023,
  arXiv:2304.07193, section 4, with the scaling, and with weight 0.1 on the class tokens of each global crop. `eps` is that of the
  official code of DINOv2, which adds it to every entry of the difference too.
  """
  (q,) = as_float32(q)
  if len(q) < 2:
    return jnp.zeros(len(q))
  z = l2_normalize(q)
  near = jax.lax.stop_gradient(jnp.matmul(z, z.T, precision='highest'))
  neighbour = jnp.argmax(jnp.where(jnp.eye(len(z), dtype=bool), -jnp.inf, near), 1)
  # Computed from the difference of the vectors: from their product it would have an error of the square root of the rounding error.
  square = jnp.sum((z - z[neighbour]) ** 2, -1)
  apart = square > 0
  return -jnp.log(jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1)), 0) + eps)
