"""Images as sequences of patches, and gathering along a sequence."""

import jax.numpy as jnp

from jssl.types import Array


def patchify(x: Array, patch: int) -> Array:
  """[b h w c] -> [b n p*p*c]: square patches in raster order, the pixels of each in raster order."""
  b, h, w, c = x.shape
  if h % patch or w % patch:
    raise ValueError(f'an image of {h}x{w} does not divide into patches of {patch}: choose another patch or crop size')
  x = x.reshape(b, h // patch, patch, w // patch, patch * c)
  return x.swapaxes(2, 3).reshape(b, -1, patch * patch * c)


def unpatchify(x: Array, patch: int, grid: tuple[int, int]) -> Array:
  """[b n p*p*c] -> [b h w c], the inverse of `patchify` for a grid of patches."""
  b, n, _ = x.shape
  x = x.reshape(b, *grid, patch, -1).swapaxes(2, 3)
  return x.reshape(b, grid[0] * patch, grid[1] * patch, -1)


def take(tokens: Array, index: Array) -> Array:
  """tokens [b n d] at positions index [b m] -> [b m d]."""
  return jnp.take_along_axis(tokens, index[..., None], 1)
