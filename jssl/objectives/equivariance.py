"""Equivariance of representations to changes of the input."""

import jax.numpy as jnp
from jaxtyping import Float, Int

from jssl.objectives.multi_view import gram
from jssl.ops.look_up import one_a_row
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def care(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, chunks: int = 8, ids: Int[Array, ' b'] | None = None) -> Float[Array, ' b']:
  """Equivariance to an augmentation: one rotation for all examples, so that inner products stay the same.

  l_i = 2 sum_{j != i} (q_i.q_j - k_i.k_j)^2,   j in the chunk of i

  Args:
    q: [b d] embeddings under one augmentation, the same for all rows of a chunk.
    k: [b d] embeddings of the same examples under another augmentation, again the same for all rows of a chunk.
    chunks: number of equal parts that the batch is divided into, in order.
    ids: [b] integers; rows of equal ids modulo `chunks` then form a chunk, in any order.

  Returns:
    [b].

  Raises:
    ValueError: if `chunks` does not divide b, where there are no ids.

  Reference: Gupta, Robinson, Lim, Villar, Jegelka 2023, arXiv:2306.13924, section 3, weight 0.01 next to InfoNCE in the
  official code, from which the factor 2 and the mean over rows are taken. No stop-gradient.
  """
  ids = one_a_row(ids, 'ids')
  b = len(q)
  if ids is None and b % chunks:
    raise ValueError(f'care cuts the batch into equal parts: {chunks} chunks do not divide {b}; choose a divisor')
  chunk = jnp.arange(b) // (b // chunks) if ids is None else ids % chunks
  other = (chunk[:, None] == chunk) & ~jnp.eye(b, dtype=bool)
  change = gram(l2_normalize(q)) - gram(l2_normalize(k))
  return 2 * jnp.sum(jnp.where(other, change, 0) ** 2, 1)
