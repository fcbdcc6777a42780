"""Masks over clips."""

import jax.numpy as jnp

from jssl.masks.patches import Blocks, Masked, count_kept, split_by
from jssl.ops.draws import between, place, sides, uniform
from jssl.types import Array, Keys

_TRIES = 10  # placements of the blocks, of which the first is taken that leaves something to see


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


def tube_blocks(
  keys: Keys,
  *,
  grid: tuple[int, int, int],
  blocks: int = 8,
  scale: float = 0.15,
  aspect: tuple[float, float] = (0.75, 1.5),
  keep: float = 0.125,
) -> Blocks:
  """Masks the union of rectangular blocks that go through all frames; the context is everything else.

  A block of scale s and aspect r on a frame of n positions has sides round(sqrt(r int(s n))) and round(sqrt(int(s n) / r)), at most the
  frame's. All blocks of an example share one size and have separate uniform positions. Blocks that leave nothing visible are placed anew.

  Shapes are static although unions vary: `keep` has a fixed number of context positions: the first in raster order, so that the last frames
  are left out where more are visible, or repeated ones where fewer are. `targets` is one block of all other positions' number: those that are
  hidden, the first of them, or repeated ones with `weight` 0. No entry of `keep` is in `targets`.

  Args:
    keys: [b] one key per example.
    grid: (t, rows, columns) in tubelets.
    blocks: number of blocks: 8 for short-range masks, 2 for long-range ones.
    scale: area of a block as a share of the frame: 0.15 for short-range masks, 0.7 for long-range ones.
    aspect: range of height / width.
    keep: number of context positions as a share of the clip, m = max(1, int(keep n)). On frames of 14 x 14, 95 % of the contexts have 0.24 n
      with short-range masks and 0.07 n with long-range ones, and half have 0.37 n and 0.2 n.

  Returns:
    `Blocks`, over the n = t * rows * columns tubelets in raster order: keep [b m], targets and weight [b 1 n-m].

  Raises:
    ValueError: if the context leaves no position to predict.

  Reference: Bardes et al. 2024, arXiv:2404.08471, section 3.2, and `multiblock3d.py` of the official code. That draws one size for the whole
    batch, and cuts contexts and targets to the smallest of the batch (contexts of about 0.22 n and 0.06 n for 24 clips) by dropping their last
    positions.
  """
  t, rows, columns = grid
  n = rows * columns
  m = max(1, int(keep * t * n + 1e-6))
  if m >= t * n:
    raise ValueError(f'keep is {keep}: expected a share of the {t * n} positions of a clip that leaves some to predict; lower it')
  u = uniform(keys, 1 + 2 * _TRIES * blocks)
  h, w = sides(jnp.float32(int(scale * n + 1e-4)), between(u[:, 0], aspect))
  h, w = (jnp.clip(side, 1, most)[:, None, None] for side, most in ((h, rows), (w, columns)))
  u = u[:, 1:].reshape(-1, _TRIES, blocks, 2)

  def within(start: Array, extent: Array, count: int) -> Array:  # [b tries blocks] -> [b tries blocks count]
    i, start = jnp.arange(count), start[..., None]
    return (start <= i) & (i < start + extent[..., None])

  down, across = within(place(u[..., 0], rows - h), h, rows), within(place(u[..., 1], columns - w), w, columns)
  hidden = jnp.any(down[..., :, None] & across[..., None, :], 2).reshape(-1, _TRIES, n)
  first = jnp.argmax(~jnp.all(hidden, 2), 1)
  hidden = jnp.take_along_axis(hidden, first[:, None, None], 1)[:, 0]
  hidden = jnp.tile(hidden.at[:, 0].set(hidden[:, 0] & ~jnp.all(hidden, 1)), (1, t))

  def chosen(of: Array, count: int) -> tuple[Array, Array]:
    """The first `count` positions that are in `of`, repeated if there are fewer, and 1 where they are new."""
    order, size = jnp.argsort(~of, axis=1).astype(jnp.int32), jnp.sum(of, 1, dtype=jnp.int32)[:, None]
    return jnp.take_along_axis(order, jnp.arange(count) % size, 1), (jnp.arange(count) < size).astype(jnp.float32)

  targets, weight = chosen(hidden, t * n - m)
  return Blocks(chosen(~hidden, m)[0], targets[:, None], weight[:, None])
