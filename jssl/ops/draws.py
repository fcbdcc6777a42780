"""Random boxes and numbers, one key an example."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Keys


def uniform(keys: Keys, *shape: int) -> Array:
  """Uniform numbers in [0, 1), [b *shape]."""
  return jax.vmap(lambda key: jax.random.uniform(key, shape))(keys)


def between(u: Array, bounds: tuple[float, float]) -> Array:
  return bounds[0] + u * (bounds[1] - bounds[0])


def sides(area: Array, ratio: Array) -> tuple[Array, Array]:
  """Whole sides whose product is about `area` and whose quotient is about `ratio`."""
  return jnp.round(jnp.sqrt(area * ratio)), jnp.round(jnp.sqrt(area / ratio))


def place(u: Array, room: Array) -> Array:
  """A uniform whole number in [0, room]."""
  return jnp.floor(u * (room + 1))


def inside(i: Array, start: Array, extent: Array | int) -> Array:
  """Which of i, [...], lie in [start, start + extent), [b]: [b ...]."""
  start = wide(start, 3)
  return (start <= i) & (i < start + (wide(extent, 3) if jnp.ndim(extent) else extent))


def wide(x: Array, ndim: int) -> Array:
  """[b] or [b 1], to be broadcast against an array of `ndim` axes."""
  return x.reshape(x.shape[0], *(1,) * (ndim - 1))
