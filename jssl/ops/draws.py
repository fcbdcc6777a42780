"""Random boxes and numbers, one key an example."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Num, Shaped

from jssl.types import Array, Keys


def uniform(keys: Keys, *shape: int) -> Float[Array, ' b *shape']:
  """Uniform numbers in [0, 1), [b *shape]."""
  return jax.vmap(lambda key: jax.random.uniform(key, shape))(keys)


def between(u: Float[Array, ' *s'], bounds: tuple[float, float]) -> Float[Array, ' *s']:
  return bounds[0] + u * (bounds[1] - bounds[0])


def sides(area: Float[Array, ' *s'], ratio: Float[Array, ' *s']) -> tuple[Float[Array, '*s'], Float[Array, '*s']]:
  """Whole sides whose product is about `area` and whose quotient is about `ratio`."""
  return jnp.round(jnp.sqrt(area * ratio)), jnp.round(jnp.sqrt(area / ratio))


def place(u: Float[Array, ' *s'], room: Num[Array, ' *s']) -> Float[Array, ' *s']:
  """A uniform whole number in [0, room]."""
  return jnp.floor(u * (room + 1))


def inside(i: Num[Array, '...'], start: Num[Array, ' b'], extent: Num[Array, '...'] | int) -> Bool[Array, 'b ...']:
  """Which of i, [...], lie in [start, start + extent), [b]: [b ...]."""
  start = wide(start, 3)
  return (start <= i) & (i < start + (extent if isinstance(extent, int) or not extent.ndim else wide(extent, 3)))


def wide(x: Shaped[Array, 'b ...'], ndim: int) -> Shaped[Array, 'b ...']:
  """[b] or [b 1], to be broadcast against an array of `ndim` axes."""
  return x.reshape(x.shape[0], *(1,) * (ndim - 1))
