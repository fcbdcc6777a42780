"""Images as sequences of patches, and gathering along a sequence."""

import jax.numpy as jnp

from jssl.types import Array


def patchify(x: Array, patch: int) -> Array:
  """[b h w c] -> [b n patch*patch*c], row by row; within a patch row, column, channel."""
  b, h, w, c = x.shape
  x = x.reshape(b, h // patch, patch, w // patch, patch, c)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, -1, patch * patch * c)


def take(tokens: Array, index: Array) -> Array:
  """tokens [b n d] at positions index [b m] -> [b m d]."""
  return jnp.take_along_axis(tokens, index[..., None], 1)
