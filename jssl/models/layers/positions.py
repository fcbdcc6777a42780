"""Positions on a grid: sine-cosine tables, rotary angles, and bicubic resizing of position tables for two-dimensional grids."""

import math

import jax.numpy as jnp
import numpy as np

from jssl.types import Array


def sincos(grid: tuple[int, ...], dim: int, temperature: float = 10_000.0) -> np.ndarray:
  """Fixed sine-cosine position embeddings on a grid.

  For a coordinate p on a grid of a axes, (sin(p w_i), cos(p w_i)) with w_i = temperature^(-2 a i / d), i < d / 2a. On two axes the first half
  of the features encodes the column, the second half the row, as in the official code of MAE and I-JEPA.

  Args:
    grid: (rows, columns), or any number of axes.
    dim: d, a multiple of twice the number of axes.
    temperature: the longest wavelength is 2 pi times this. With 10,000, most features are nearly constant over a small grid, and attention is
      slow to learn to distinguish positions; use the side of the grid there.

  Returns:
    [n d], float32, in raster order.

  Raises:
    ValueError: if d is not such a multiple.

  Reference: Chen, Xie, He (MoCo v3), ICCV 2021, arXiv:2104.02057, appendix A.1; He et al. (MAE), arXiv:2111.06377, A.1.
  """
  step = 2 * len(grid)
  if dim % step:
    raise ValueError(f'sine-cosine positions on a grid of {len(grid)} axes need a width that is a multiple of {step}, not {dim}')
  omega = temperature ** (-np.arange(dim // step) / (dim // step))
  places = np.meshgrid(*map(np.arange, grid), indexing='ij')
  angles = [p.reshape(-1, 1) * omega for p in reversed(places)]
  return np.concatenate([f(a) for a in angles for f in (np.sin, np.cos)], 1).astype(np.float32)


def rotary(grid: tuple[int, int], dim: int, temperature: float = 100.0) -> np.ndarray:
  """Rotary angles for queries and keys of the patches of a grid, relative to the image size: coordinates cover one square for every grid.

  2 pi p w_i with w_i = temperature^(-4 i / d), i < d / 4, and p in (-1, 1) the centre of the patch, first that of its row, then of its
  column.

  Args:
    grid: (rows, columns).
    dim: d, the width of a head, a multiple of 4.
    temperature: wavelengths range from half the image to half of `temperature` images.

  Returns:
    [n d/2], float32, in raster order, as needed by `rotary.turned`.

  Raises:
    ValueError: if d is not such a multiple.

  Reference: Simeoni et al. (DINOv3), arXiv:2508.10104, section 3.2, and the official code.
  """
  if dim % 4:
    raise ValueError(f'rotary positions on a grid of 2 axes need heads whose width is a multiple of 4, not {dim}')
  omega = temperature ** (-np.arange(dim // 4) / (dim // 4))
  centres = np.meshgrid(*(2 * (np.arange(n) + 0.5) / n - 1 for n in grid), indexing='ij')
  return np.concatenate([2 * np.pi * p.reshape(-1, 1) * omega for p in centres], 1).astype(np.float32)


def resize(table: Array, old: tuple[int, int], new: tuple[int, int], *, antialias: bool = False) -> Array:
  """Resizes a position table to another grid by bicubic interpolation.

  Equals `torch.nn.functional.interpolate(mode='bicubic', align_corners=False)`: pixel centres at half-integers, the cubic of Keys with a =
  -0.75, borders repeated, no smoothing when shrinking. With its `antialias`: a = -0.5, a cubic as wide as the cells of the smaller grid,
  without samples beyond the borders.

  Args:
    table: [rows*columns d] for the grid `old`.
    old: (rows, columns) of the table.
    new: (rows, columns) of the result.
    antialias: as in torch.

  Returns:
    [rows*columns d] for the grid `new`; the table itself if both are equal.

  Reference: Keys, IEEE TASSP 1981, doi:10.1109/TASSP.1981.1163711, Eq. 15.
  """
  if tuple(old) == tuple(new):
    return table
  weights = _smoothed if antialias else _bicubic
  rows, columns = (weights(o, n) for o, n in zip(old, new, strict=True))
  return jnp.einsum('Rr,Cc,rcd->RCd', rows, columns, table.reshape(*old, -1)).reshape(-1, table.shape[-1])


def _bicubic(old: int, new: int) -> np.ndarray:
  weights = np.zeros((new, old), np.float32)
  for i in range(new):
    centre = (i + 0.5) * old / new - 0.5
    left = math.floor(centre)
    for j in range(left - 1, left + 3):
      weights[i, min(max(j, 0), old - 1)] += _cubic(abs(centre - j), -0.75)
  return weights


def _smoothed(old: int, new: int) -> np.ndarray:
  wide = max(old / new, 1)
  places = (np.arange(new)[:, None] + 0.5) * old / new - 0.5 - np.arange(old)
  weights = np.vectorize(lambda t: _cubic(abs(t) / wide, -0.5) if abs(t) < 2 * wide else 0.0)(places)
  return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _cubic(t: float, a: float) -> float:
  return ((a + 2) * t - (a + 3)) * t * t + 1 if t <= 1 else ((t - 5) * t + 8) * t * a - 4 * a
