"""Masks of token ids, as boolean masks and as positions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.types import Array, Keys


class Hidden(NamedTuple):
  """Masked tokens, as a mask over the sequence and as a list of positions of fixed length."""

  mask: Array  # [b n] bool
  places: Array  # [b m] int32
  valid: Array  # [b m] bool: False for list entries beyond the masked tokens of a short text


def mask_tokens(keys: Keys, maskable: Array, *, ratio: float = 0.15) -> Hidden:
  """Masks a share of each text's tokens, drawn without replacement; at least one, if any may be masked.

  Args:
    keys: [b].
    maskable: [b n] bool, the tokens that may be masked.
    ratio: the masked share of these, rounded.

  Returns:
    Hidden, with m = max(1, round(ratio n)).

  Reference: Devlin, Chang, Lee, Toutanova, NAACL 2019, arXiv:1810.04805, section 3.1.
  """
  m = max(1, round(ratio * maskable.shape[1]))

  def draw(key, real):
    count = jnp.clip(jnp.round(ratio * jnp.sum(real)), 1, m) * jnp.any(real)
    places = jnp.argsort(jnp.where(real, jax.random.uniform(key, real.shape), 2.0))[:m].astype(jnp.int32)
    valid = jnp.arange(m) < count
    return Hidden(jnp.zeros(real.shape, bool).at[places].set(valid), places, valid)

  return jax.vmap(draw)(keys, maskable)


def mask_uniformly(keys: Keys, maskable: Array, *, start: int) -> Hidden:
  """Masks every token from a position on with a probability that is drawn uniformly for each sequence.

  r_i ~ U(0, 1),   m_in ~ Bernoulli(r_i) for n >= start

  Args:
    keys: [b].
    maskable: [b n] bool, the tokens that may be masked.
    start: position of the first token that may be masked.

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
