"""Look-ups of images between their pixels."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jssl.types import Array


def bilinear(x: Float[Array, 'b h w c'], y: Float[Array, 'b m n'], z: Float[Array, 'b m n']) -> Float[Array, 'b m n c']:
  """The image at rows y and columns z, pixel i covering [i, i + 1); zero beyond its border."""
  b, height, width, c = x.shape
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))).reshape(b, -1, c)
  y, z = jnp.clip(y + 0.5, 0, height + 1), jnp.clip(z + 0.5, 0, width + 1)
  row, column = jnp.minimum(jnp.floor(y), height), jnp.minimum(jnp.floor(z), width)
  index = (row * (width + 2) + column).astype(jnp.int32)
  y, z = (y - row)[..., None], (z - column)[..., None]

  def corner(offset: int) -> Array:
    return jax.vmap(lambda image, i: image.at[i].get(mode='promise_in_bounds'))(x, index + offset)

  above = corner(0) * (1 - z) + corner(1) * z
  below = corner(width + 2) * (1 - z) + corner(width + 3) * z
  return above * (1 - y) + below * y
