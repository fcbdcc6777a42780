"""A number that tells damaged arrays."""

import zlib
from typing import Any

import jax
import jax.numpy as jnp

from jssl.types import Array


def fingerprint(tree: Any, text: str = '') -> str:
  """Of all bits of a pytree of arrays and of a text: another one wherever a single word has changed, and the same on any devices."""
  return f'{zlib.crc32(text.encode()):08x}{int(jax.device_get(_of_arrays(jax.tree.leaves(tree)))):08x}'


@jax.jit
def _of_arrays(arrays: list[Array]) -> Array:
  return sum((_of_array(x) * (2 * i + 1) for i, x in enumerate(arrays)), jnp.uint32(0))


def _of_array(x: Array) -> Array:
  """Sum of the words, each times an odd number of its own, modulo 2**32: exact in any order, and not the same for one other word."""
  x = x.ravel()
  words = x if x.dtype == bool else jax.lax.bitcast_convert_type(x, {1: 'uint8', 2: 'uint16'}.get(x.dtype.itemsize, 'uint32')).ravel()
  return jnp.sum(words.astype('uint32') * (2 * jnp.arange(words.size, dtype='uint32') + 1), dtype='uint32')
