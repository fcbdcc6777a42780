"""Keys and values of the tokens so far, so that each token of a growing sequence is computed once."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.types import Array

# [b t 2] layer and place of what is written, [b t g d], into [l b m g d]. Examples are a dimension that is scattered within, so that
# where they are spread over devices each writes its own.
ROWS = jax.lax.ScatterDimensionNumbers(
  update_window_dims=(2, 3),
  inserted_window_dims=(0, 2),
  scatter_dims_to_operand_dims=(0, 2),
  operand_batching_dims=(1,),
  scatter_indices_batching_dims=(0,),
)


class Cache(NamedTuple):
  """Keys and values of stacked blocks, zeros where nothing has been written. The examples are axis 1, also where beams are reordered."""

  k: Array  # [l b m g d]
  v: Array


def empty(blocks: nnx.Module, batch: int, length: int, dtype: str) -> Cache:
  """A cache without tokens, of 2 l b m g d numbers.

  Args:
    blocks: from `stacked`, with an `attention`.
    batch: b.
    length: m, how many tokens of an example it can hold.
    dtype: that the blocks compute in.
  """
  depth, heads = len(blocks.attention.proj.kernel[...]), blocks.attention
  # Two arrays, not one twice: both may be donated.
  return Cache(*(jnp.zeros((depth, batch, length, heads.kv_heads, heads.head), dtype) for _ in range(2)))


def places_of(place: int | Array, count: int) -> Array:
  """Places of `count` tokens from `place` on, [] -> [1 t], or [b] -> [b t]."""
  return jnp.reshape(place, (-1, 1)) + jnp.arange(count)


def visible(places: Array, length: int, window: int | None = None) -> Array:
  """What tokens at some places may attend to: what stands there or before, and with a window only the last `window` of that.

  Args:
    places: [b t], or [1 t] where they are the same in all examples.
    length: m.
    window: as in `Llama`.

  Returns:
    [b t m] bool, or [1 t m].
  """
  behind = places[..., None] - jnp.arange(length)
  return (behind >= 0) if window is None else (behind >= 0) & (behind < window)


def written(cache: Cache, k: Array, v: Array, *, layer: Array, places: Array) -> Cache:
  """The cache with keys and values [b t g d] of one layer at consecutive places, [b t] or [1 t], which lie within it."""

  def write(held, new):
    new = new.astype(held.dtype)
    if len(places) == 1:  # the same in all examples: one slice
      return jax.lax.dynamic_update_slice(held, new[None], (layer, 0, places[0, 0], 0, 0))
    at = jnp.stack(jnp.broadcast_arrays(layer, places), -1)
    return jax.lax.scatter(held, at, new, ROWS, unique_indices=True)

  return Cache(write(cache.k, k), write(cache.v, v))
