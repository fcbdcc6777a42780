"""Estimates of mutual information from correlations."""

import jax.numpy as jnp
from jaxtyping import Bool, Float

from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def attention_information(
  first: Float[Array, 'b l h n n'], second: Float[Array, 'b l h n n'], *, mask: Bool[Array, 'b n'], chunks: int = 2, eps: float = 1e-6
) -> Float[Array, ' b']:
  """Mutual information of the attention of two views of a sentence, under the assumption that its probabilities are log-normal.

  l_i = mean_{c, h} 1/2 log(1 - r_ich^2)

  r_ich is Pearson's correlation of the log-probabilities of the two views, over the layers of chunk c and all pairs of tokens of head h.

  Args:
    first: [b l h n n] logarithms of the attention probabilities of one view.
    second: [b l h n n] of the other.
    mask: [b n] bool, False for padding.
    chunks: number of equal parts of the layers; divides l.
    eps: the least value of 1 - r^2.

  Returns:
    [b] nats, the negative mutual information.

  Raises:
    ValueError: if `chunks` does not divide the number of layers.

  Reference: Klein, Nabi (miCSE), ACL 2023, arXiv:2211.04928, section 3, and models.py of the official code, with 2 chunks. There the
  correlation is that of 150 random entries, and the information is multiplied by the squared share of entries that are positive in both views;
  here all entries between tokens count. No stop-gradient.
  """
  b, layers, heads = first.shape[:3]
  if layers % chunks:
    raise ValueError(f'attention_information(chunks={chunks}): {layers} layers cannot be divided into {chunks} equal parts')
  pairs = (mask[:, :, None] & mask[:, None, :])[:, None, None, None]
  count = jnp.maximum(jnp.sum(pairs, (2, 4, 5), keepdims=True) * (layers // chunks), 1)

  def deviations(x: Array) -> Array:
    x = jnp.where(pairs, x.astype(jnp.float32).reshape(b, chunks, layers // chunks, heads, *x.shape[3:]), 0)
    x = jnp.where(pairs, x - jnp.sum(x, (2, 4, 5), keepdims=True) / count, 0)
    return l2_normalize(jnp.moveaxis(x, 3, 2).reshape(b, chunks, heads, -1))

  square = jnp.sum(deviations(first) * deviations(second), -1) ** 2
  return jnp.mean(jnp.log(jnp.maximum(1 - square, eps)) / 2, (1, 2))
