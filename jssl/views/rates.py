"""Masks of token ids whose rate is drawn too: over them all, every order of telling is trained for."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Keys
from jssl.views.text import Hidden


def mask_uniformly(keys: Keys, ids: Array, *, start: int) -> Hidden:
  """Every token from a place on is hidden with one probability, itself drawn uniformly for each sequence.

  r_i ~ U(0, 1),   m_in ~ Bernoulli(r_i) for n >= start

  Args:
    keys: [b].
    ids: [b n]; padding, 0, is not hidden.
    start: place of the first token that may be hidden.

  Returns:
    Hidden, with m = n - start.

  Reference: Nolte et al. 2024, arXiv:2412.05117, section 3 (MLM-U).
  """
  n = ids.shape[1]

  def draw(key, ids):
    rate, each = jax.random.split(key)
    return (jnp.arange(n) >= start) & (ids != 0) & jax.random.bernoulli(each, jax.random.uniform(rate), (n,))

  mask = jax.vmap(draw)(keys, ids)
  return Hidden(mask, jnp.tile(jnp.arange(start, n, dtype=jnp.int32), (len(ids), 1)), mask[:, start:])
