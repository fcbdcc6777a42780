"""Grids as sequences of patches (images, series, clips), and gathering along a sequence."""

import math

import jax.numpy as jnp
from jaxtyping import Float, Int, Shaped

from jssl.types import Array


def patchify(x: Shaped[Array, 'b *grid c'], patch: int | tuple[int, ...]) -> Shaped[Array, 'b n p']:
  """[b h w c] -> [b n p*p*c]: patches in raster order, the pixels of each in raster order.

  The grid may have any number of axes, as [b t c] or [b t h w c]; `patch` is one side for all, or one an axis.
  """
  b, *sides, c = x.shape
  patch = patch_sides(patch, len(sides))
  if any(side % p for side, p in zip(sides, patch, strict=True)):
    shape = lambda sides: 'x'.join(map(str, sides))
    raise ValueError(f'{shape(sides)} does not divide into patches of {shape(patch)}: choose another patch or crop size')
  axes = len(sides)
  x = x.reshape(b, *(n for side, p in zip(sides, patch, strict=True) for n in (side // p, p)), c)
  x = x.transpose(0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), 2 * axes + 1)
  return x.reshape(b, -1, math.prod(patch) * c)


def patch_sides(patch: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
  """The sides of a patch, one an axis of the grid."""
  return (patch,) * axes if isinstance(patch, int) else tuple(patch)


def unpatchify(x: Shaped[Array, 'b n p'], patch: int, grid: tuple[int, int]) -> Shaped[Array, 'b h w c']:
  """[b n p*p*c] -> [b h w c], the inverse of `patchify` for a grid of square patches."""
  b, n, _ = x.shape
  x = x.reshape(b, *grid, patch, -1).swapaxes(2, 3)
  return x.reshape(b, grid[0] * patch, grid[1] * patch, -1)


def take(tokens: Shaped[Array, 'b n d'], index: Int[Array, 'b m']) -> Shaped[Array, 'b m d']:
  """tokens [b n d] at positions index [b m] -> [b m d]."""
  return jnp.take_along_axis(tokens, index[..., None], 1)


def cell_places(place: Float[Array, 'b 2 3'], grid: tuple[int, int]) -> Float[Array, 'b n 2']:
  """The positions (y, x) in the image of the centres of a view's cells, [b n 2] in raster order.

  Args:
    place: [b 2 3], maps (v, u, 1), from 0 to 1 down and across the view, to (y, x), as in `views.places`.
    grid: (rows, columns) of cells.
  """
  rows, columns = grid
  v, u = jnp.meshgrid((jnp.arange(rows) + 0.5) / rows, (jnp.arange(columns) + 0.5) / columns, indexing='ij')
  centres = jnp.stack([v, u, jnp.ones_like(v)], -1).reshape(-1, 3)
  return jnp.einsum('bij,nj->bni', place, centres, precision='highest')
