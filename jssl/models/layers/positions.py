"""Positions on a grid: sine-cosine tables, and bicubic resizing of them to another grid of two axes."""

import math

import jax.numpy as jnp
import numpy as np

from jssl.types import Array


def sincos(grid: tuple[int, ...], dim: int, temperature: float = 10_000.0) -> np.ndarray:
  """Fixed sine-cosine positions on a grid.

  For a coordinate p on a grid of a axes, (sin(p w_i), cos(p w_i)) with w_i = temperature^(-2 a i / d), i < d / 2a. On two
  axes the first half of the features encodes the column, the second half the row, as the official code of MAE and I-JEPA
  has it.

  Args:
    grid: (rows, columns), or any number of axes.
    dim: d, a multiple of twice the number of axes.
    temperature: 2 pi of it is the longest wavelength. At 10,000 most features are the same all over a small grid, and
      attention takes long to tell its places apart: there, take the side of the grid.

  Returns:
    [n d], float32, in raster order.

  Raises:
    ValueError: d is no such multiple.

  Reference: Chen, Xie, He (MoCo v3), ICCV 2021, arXiv:2104.02057, appendix A.1; He et al. (MAE), arXiv:2111.06377, A.1.
  """
  step = 2 * len(grid)
  if dim % step:
    raise ValueError(f'sine-cosine positions on a grid of {len(grid)} axes need a width that is a multiple of {step}, not {dim}')
  omega = temperature ** (-np.arange(dim // step) / (dim // step))
  places = np.meshgrid(*map(np.arange, grid), indexing='ij')
  angles = [p.reshape(-1, 1) * omega for p in reversed(places)]
  return np.concatenate([f(a) for a in angles for f in (np.sin, np.cos)], 1).astype(np.float32)


def resize(table: Array, old: tuple[int, int], new: tuple[int, int]) -> Array:
  """Positions for another grid by bicubic interpolation.

  The same as `torch.nn.functional.interpolate(mode='bicubic', align_corners=False)`: pixel centres at half-integers,
  the cubic of Keys with a = -0.75, borders repeated, no smoothing when shrinking.

  Args:
    table: [rows*columns d] for the grid `old`.
    old: (rows, columns) of the table.
    new: (rows, columns) wanted.

  Returns:
    [rows*columns d] for the grid `new`; the table itself where both agree.

  Reference: Keys, IEEE TASSP 1981, doi:10.1109/TASSP.1981.1163711, Eq. 15.
  """
  if tuple(old) == tuple(new):
    return table
  rows, columns = (_bicubic(o, n) for o, n in zip(old, new, strict=True))
  return jnp.einsum('Rr,Cc,rcd->RCd', rows, columns, table.reshape(*old, -1)).reshape(-1, table.shape[-1])


def _bicubic(old: int, new: int, a: float = -0.75) -> np.ndarray:
  weights = np.zeros((new, old), np.float32)
  for i in range(new):
    centre = (i + 0.5) * old / new - 0.5
    left = math.floor(centre)
    for j in range(left - 1, left + 3):
      t = abs(centre - j)
      cubic = ((a + 2) * t - (a + 3)) * t * t + 1 if t <= 1 else ((t - 5) * t + 8) * t * a - 4 * a
      weights[i, min(max(j, 0), old - 1)] += cubic
  return weights
