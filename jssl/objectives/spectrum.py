"""Objectives on the singular values of a batch of embeddings: effective rank and nuclear norm."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def spectral_entropy(z: Float[Array, 'b d'], *, eps: float = 1e-7) -> Float[Array, '']:
  """Von Neumann entropy of the autocorrelation of the batch.

  S = -sum_j lambda_j ln lambda_j,   lambda = eigenvalues of (1/b) sum_i z_i z_i' / |z_i|^2, which sum to 1

  Args:
    z: [b d] embeddings, neither normalised nor centred.
    eps: lower bound of the eigenvalues in the gradient, which is -(ln lambda + 1) and unbounded at 0.

  Returns:
    A scalar in [0, ln min(b, d)], float32: of the batch as a whole. 0 where all embeddings are 0.

  Reference: Kim, Kang, Hwang, Shin, Rhee, VNE, 2023, arXiv:2304.01434, section 3. The eigenvalues are
    squared singular values: the float32 autocorrelation would lose those under 1e-7 of the largest. The gradient by
    z / sqrt(b) = U s V' is written out, -2 U s (ln s^2 + 1) V', so that equal eigenvalues cause no problem; there is no second derivative.
  """
  z = l2_normalize(z) / jnp.sqrt(len(z))
  fixed = jax.lax.stop_gradient(z)
  u, s, v = jnp.linalg.svd(fixed, full_matrices=False)
  log = jnp.log(jnp.maximum(s * s, eps))
  slope = -2 * jnp.matmul(u * (s * (log + 1)), v, precision='highest')
  return -jnp.sum(s * s * log) + jnp.sum(slope * (z - fixed))


def effective_rank(z: Float[Array, 'b d'], *, eps: float = 1e-7) -> Float[Array, '']:
  """Effective rank of the batch: exp of `spectral_entropy`, in [1, min(b, d)].

  Args:
    z: [b d] embeddings.
    eps: as in `spectral_entropy`.

  Returns:
    A scalar, float32.

  Reference: Roy, Vetterli, The effective rank, 2007, EUSIPCO, Definition 2, with singular values, where these are their squares; Kim et al.
    2023, arXiv:2304.01434, section 3. `jssl.metrics.spectrum.rankme` follows the first.
  """
  return jnp.exp(spectral_entropy(z, eps=eps))


def rank_penalty(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, eps: float = 1e-7) -> Float[Array, '']:
  """Rank reduction: the log of the effective rank, to be minimised together with a contrastive objective.

  l = (S(q) + S(k)) / 2,   S = `spectral_entropy`

  Args:
    q: [b d] embeddings of one view.
    k: [b d] embeddings of the other view; q itself where there is one.
    eps: as in `spectral_entropy`.

  Returns:
    A scalar: it depends on the batch through its spectrum alone.

  Reference: Jung, Kim, Ko, Park, Rhee 2024, arXiv:2405.11297, which lowers the rank of SimCSE and similar models in fine-tuning. The
    measure here is the entropy of Kim et al. 2023, arXiv:2304.01434, section 3, a choice: the paper's own
    form and weight may differ. With a negative weight it raises the rank.
  """
  return 0.5 * (spectral_entropy(q, eps=eps) + spectral_entropy(k, eps=eps))


def mmcr(z: Float[Array, 'b v d'], k: Float[Array, 'b v d'] | None = None, *, lam: float | None = None) -> Float[Array, '']:
  """Maximum manifold capacity: the nuclear norm of the centroids of views is large, and that of the views of an example small.

  l = lambda mean_i |Z_i|_* - |C|_*,   C_i = mean_a z_ia

  All embeddings are scaled to unit length, the centroids are not: they are long where views agree, and the norm is large where many of them
  are orthogonal.

  Args:
    z: [b v d] embeddings of v views.
    k: [b v d] those of the momentum encoder, which enter the centroids with equal weight; None for none.
    lam: lambda; None leaves its summand out.

  Returns:
    A scalar, at least -min(b, sqrt(b d)): it depends on the batch through singular values.

  Reference: Yerxa, Kuang, Simoncelli, Chung 2023, arXiv:2303.03307, section 2 (the objective), lambda = 0 in the official code
  (loss_mmcr_momentum.py for k, with the norm of |Z_i| over z alone). Stop-gradient on k.
  """
  z = l2_normalize(z)
  centroids = jnp.mean(z, 1)
  if k is not None:
    centroids = (centroids + jax.lax.stop_gradient(jnp.mean(l2_normalize(k), 1))) / 2
  loss = -_nuclear_norm(centroids)
  return loss if lam is None else loss + lam * jnp.mean(_nuclear_norm(z))


def _nuclear_norm(x: Array) -> Array:
  """The sum of the singular values of [... m n]. Its gradient U V' is written out, without directions in which x is 0."""
  fixed = jax.lax.stop_gradient(x)
  u, s, v = jnp.linalg.svd(fixed, full_matrices=False)
  there = s > 1e-6 * s[..., :1]
  slope = jnp.matmul(u * there[..., None, :], v, precision='highest')
  return jnp.sum(s, -1) + jnp.sum(slope * (x - fixed), (-2, -1))
