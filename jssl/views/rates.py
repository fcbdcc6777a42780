"""Masks of token ids whose rate is drawn too: over them all, every order of telling is trained for."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Keys
from jssl.views.text import Hidden


def mask_uniformly(keys: Keys, maskable: Array, *, start: int) -> Hidden:
  """Every token from a place on is hidden with one probability, itself drawn uniformly for each sequence.

  r_i ~ U(0, 1),   m_in ~ Bernoulli(r_i) for n >= start

  Args:
    keys: [b].
    maskable: [b n] bool, the tokens that may be hidden.
    start: place of the first token that may be hidden.

  Returns:
    Hidden, with m = n - start.

  Reference: Nolte et al. 2024, arXiv:2412.05117, section 3 (MLM-U).
  """
  n = maskable.shape[1]

  def draw(key, real):
    rate, each = jax.random.split(key)
    return (jnp.arange(n) >= start) & real & jax.random.bernoulli(each, jax.random.uniform(rate), (n,))

  mask = jax.vmap(draw)(keys, maskable)
  return Hidden(mask, jnp.tile(jnp.arange(start, n, dtype=jnp.int32), (len(mask), 1)), mask[:, start:])
