"""Regression to, and ranking by, given similarities of pairs."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Num

from jssl.ops.look_up import one_a_row
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def cosine_regression(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, labels: Num[Array, ' b'], weights: Float[Array, ' b'] | Bool[Array, ' b'] | None = None
) -> Float[Array, ' b']:
  """Squared error between the cosine of a pair and its label: the first stage of SetFit.

  l_i = w_i (y_i - cos(q_i, k_i))^2

  Args:
    q: [b d] embeddings.
    k: [b d] their partners.
    labels: [b] similarities, 1 for the same class and 0 for another in SetFit.
    weights: [b] w, 0 for pairs that do not count; None for 1.

  Returns:
    [b].

  Reference: Reimers, Gurevych 2019, arXiv:1908.10084, section 3, regression; Tunstall et al. 2022, arXiv:2209.11055,
  section 3 (SetFit, pairs of the same and of different classes).
  """
  labels = one_a_row(labels, 'labels')
  error = (labels - jnp.sum(l2_normalize(q) * l2_normalize(k), -1)) ** 2
  return error if weights is None else weights * error


def cosent(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, labels: Num[Array, ' b'], scale: float = 20.0) -> Float[Array, '']:
  """Ranking of pairs by their cosines, in the order of their labels.

  l = log( 1 + sum_{y_i < y_j} exp( s (cos_i - cos_j) ) ),   cos_i = cos(q_i, k_i)

  Args:
    q: [b d] embeddings.
    k: [b d] their partners.
    labels: [b] similarities; only their order matters.
    scale: s.

  Returns:
    A scalar, since the logarithm does not separate.

  Reference: Su 2022, CoSENT, after Sun et al. 2020, arXiv:2002.10857, Eq. 1; Li, Li 2023, arXiv:2309.12871, section 3,
  s = 20.
  """
  labels = one_a_row(labels, 'labels')
  return _ranking(scale * jnp.sum(l2_normalize(q) * l2_normalize(k), -1), labels)


def angle(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, labels: Num[Array, ' b'], scale: float = 20.0) -> Float[Array, '']:
  """Ranking of pairs by the angle of their quotient in complex space, which does not saturate as the cosine does.

  l = log( 1 + sum_{y_i < y_j} exp( s (t_i - t_j) ) ),   t = |sum_d (Re + Im)( q/k |k|/|q| )_d|

  The first half of an embedding is its real part, the second its imaginary part; q/k has |k|^2 over all features in
  its denominator, so the real parts sum to the cosine.

  Args:
    q: [b d] embeddings, d even.
    k: [b d] their partners.
    labels: [b] similarities; only their order matters.
    scale: s.

  Returns:
    A scalar, since the logarithm does not separate.

  Raises:
    ValueError: for odd d.

  Reference: Li, Li 2023, arXiv:2309.12871, section 3. The order of pairs, the sum over features and s = 20 are those
  of the official code, in which larger t stands for more similar pairs.
  """
  labels = one_a_row(labels, 'labels')
  if q.shape[-1] % 2:
    raise ValueError(f'angle splits embeddings in a real and an imaginary half, so d must be even, not {q.shape[-1]}')
  (a, b), (c, d) = jnp.split(l2_normalize(q), 2, -1), jnp.split(l2_normalize(k), 2, -1)
  return _ranking(scale * jnp.abs(jnp.sum(a * c + b * d + b * c - a * d, -1)), labels)


def _ranking(similarity: Array, labels: Array) -> Array:
  """log(1 + sum_{y_i < y_j} exp(s_i - s_j))."""
  difference = jnp.where(labels[:, None] < labels, similarity[:, None] - similarity, -1e30)
  return jnp.logaddexp(0.0, jax.nn.logsumexp(difference))
