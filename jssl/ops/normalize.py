"""Small functions that change what flows back."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Num

from jssl.types import Array


def l2_normalize(x: Num[Array, ' *s'], axis: int = -1, eps: float = 1e-12) -> Float[Array, ' *s']:
  """x / sqrt(|x|^2 + eps), in float32: unlike x / (|x| + eps), its gradient is finite at zero."""
  x = x.astype(jnp.float32)
  return x * jax.lax.rsqrt(jnp.sum(x * x, axis, keepdims=True) + eps)
