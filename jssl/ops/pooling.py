"""One vector of many."""

import jax.numpy as jnp
from jaxtyping import Bool, Float

from jssl.types import Array


def masked_mean(tokens: Float[Array, '*l b n d'], mask: Bool[Array, 'b n']) -> Float[Array, '*l b d']:
  """Mean of the tokens [... b n d] where mask [b n] is True, [... b d]; 0 where it is nowhere."""
  return jnp.sum(tokens * mask[..., None], -2) / jnp.maximum(mask.sum(-1, keepdims=True), 1).astype(tokens.dtype)
