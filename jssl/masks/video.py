"""Masks over clips."""

import jax.numpy as jnp

from jssl.masks.patches import Masked, count_kept, split_by
from jssl.ops.draws import uniform
from jssl.types import Keys


def tube_mask(keys: Keys, *, grid: tuple[int, int, int], ratio: float = 0.9) -> Masked:
  """Masks the same positions in all frames, so that nothing can be copied from neighbouring frames.

  Args:
    keys: [b] one key per example.
    grid: (t, rows, columns) in tubelets.
    ratio: the masked share of positions, in [0, 1).

  Returns:
    `Masked`, over t * rows * columns tubelets in raster order.

  Raises:
    ValueError: if no position would stay visible.

  Reference: Tong, Song, Wang, Wang 2022, arXiv:2203.12602, section 3.3 (ratio 0.9).
  """
  t, rows, columns = grid
  n = rows * columns
  rank = jnp.argsort(jnp.argsort(uniform(keys, n), 1), 1)
  return split_by(jnp.tile(rank, (1, t)), t * count_kept(n, ratio))
