"""Masks over the patches of a grid. All randomness of example i comes from keys[i]."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl.ops.draws import between, inside, place, sides, uniform, wide
from jssl.types import Array, Keys

_BLOCKS = 40  # blocks that a blockwise mask tries; the official procedure ends within 32 for 99 % of 14 x 14 grids
_FAILURES = 10  # blocks in a row that do not fit, after which the official procedure ends


class Masked(NamedTuple):
  """A partition of tokens into visible and masked ones, with the same sizes for every example."""

  keep: Array  # [b m] int32: positions of the visible tokens
  mask: Array  # [b n] bool: True where a token is masked
  hidden: Array  # [b n-m] int32: positions of the masked tokens
  restore: Array  # [b n] int32: `concatenate([keep, hidden])[restore[i]] == i`, so gathering by it restores the order of tokens


class Hidden(NamedTuple):
  """Masked tokens, whose number differs from example to example: they can be replaced, and not dropped."""

  mask: Array  # [b n] bool: True where a token is masked


class Blocks(NamedTuple):
  """One visible context and several target blocks."""

  keep: Array  # [b m] int32: positions of the context
  targets: Array  # [b k t] int32: positions of each block's tokens
  weight: Array  # [b k t] float32: 1 for a token of the block, 0 for repetitions that pad a smaller block to t


def random_mask(keys: Keys, *, n: int | None = None, grid: tuple[int, int] | None = None, ratio: float = 0.75) -> Masked:
  """Masks a random subset of the tokens, drawn uniformly.

  The n tokens are sorted by random noise, and the first int(n (1 - ratio)) stay visible.

  Args:
    keys: [b] one key per example.
    n: number of tokens, or
    grid: (height, width) in patches.
    ratio: the masked share, in [0, 1).

  Returns:
    `Masked`, with m = int(n (1 - ratio)). `keep` is in random order, as in the official code.

  Raises:
    ValueError: if no token would stay visible.

  Reference: He, Chen, Xie, Li, Dollar, Girshick, 2021, arXiv:2111.06377, Section 3 (ratio 0.75).
  """
  n = math.prod(grid) if n is None else n
  return split_by(uniform(keys, n), count_kept(n, ratio))


def unit_mask(keys: Keys, *, grid: tuple[int, int], ratio: float = 0.6, unit: int = 2) -> Masked:
  """Masks a random subset of square units of patches, drawn uniformly.

  Args:
    keys: [b] one key per example.
    grid: (height, width) in patches.
    ratio: the masked share of units, in [0, 1).
    unit: side of a unit in patches.

  Returns:
    `Masked`, with m = unit^2 int(n (1 - ratio)) for n units.

  Raises:
    ValueError: if units do not divide the grid, or none would stay visible.

  Reference: Xie et al. 2022, arXiv:2111.09886, section 3.2 (ratio 0.6, units of 32 pixels), and `MaskGenerator` of the official code.
  """
  height, width = (side // unit for side in grid)
  if (height * unit, width * unit) != tuple(grid):
    raise ValueError(f'units of {unit} patches do not divide a grid of {grid[0]} x {grid[1]}: give a unit that divides both sides')
  rank = jnp.argsort(jnp.argsort(uniform(keys, height * width), 1), 1).reshape(-1, height, width)
  rank = jnp.repeat(jnp.repeat(rank, unit, 1), unit, 2).reshape(-1, math.prod(grid))
  return split_by(rank, unit**2 * count_kept(height * width, ratio))


def beit_block_mask(
  keys: Keys,
  *,
  n: int | None = None,
  grid: tuple[int, int] | None = None,
  ratio: float = 0.4,
  least: int = 16,
  aspect: tuple[float, float] = (0.3, 1 / 0.3),
) -> Masked:
  """Masks rectangular blocks of patches, one by one, until a given share is masked.

  With M the patches masked so far and N the number to mask, a block has area s ~ U(least, N - |M|), log aspect ~ U(log aspect), sides
  round(sqrt(s r)) and round(sqrt(s / r)) and a uniform position. It is accepted if it is smaller than the grid in both dimensions and adds
  between 1 and N - |M| patches.

  Args:
    keys: [b] one key per example.
    n: number of patches, on a square grid, or else
    grid: (height, width) in patches.
    ratio: the masked share, in [0, 1).
    least: minimal area of a block, in patches.
    aspect: range of height / width.

  Returns:
    `Masked`, with m = int(n (1 - ratio)) for every example.

  Raises:
    ValueError: if the grid is not given or not square, or no patch would stay visible.

  Reference: Bao, Dong, Piao, Wei, 2021, arXiv:2106.08254, Algorithm 1 (ratio 0.4, least 16); data2vec masks 0.6 (Baevski et al., 2022,
    arXiv:2202.03555). The algorithm may overshoot; the official code never does, and masks fewer patches if ten blocks in a row do not fit
    (half a patch of 75 fewer, on average, on a 14 x 14 grid). Here 40 blocks are tried, and random single patches fill the rest, so that the
    number is the same for every example.
  """
  height, width = _grid(n, grid)
  n = height * width
  m = count_kept(n, ratio)
  i, j = jnp.arange(height)[:, None], jnp.arange(width)
  log_aspect = (math.log(aspect[0]), math.log(aspect[1]))

  def add(mask: Array, u: Array) -> tuple[Array, None]:  # [b height width], [b 4]
    room = n - m - jnp.sum(mask, (1, 2))
    h, w = sides(least + u[:, 0] * (room - least), jnp.exp(between(u[:, 1], log_aspect)))
    block = inside(i, place(u[:, 2], height - h), h) & inside(j, place(u[:, 3], width - w), w)
    new = jnp.sum(block & ~mask, (1, 2))
    take = (h < height) & (w < width) & (0 < new) & (new <= room)
    return mask | block & wide(take, 3), None

  noise, u = jnp.split(uniform(keys, n + 4 * _BLOCKS), [n], 1)
  mask = jnp.zeros((keys.shape[0], height, width), bool)
  mask, _ = jax.lax.scan(add, mask, jnp.moveaxis(u.reshape(-1, _BLOCKS, 4), 1, 0))
  return split_by(mask.reshape(-1, n) + noise, m)


def drawn_block_mask(
  keys: Keys,
  *,
  n: int | None = None,
  grid: tuple[int, int] | None = None,
  ratio: tuple[float, float] = (0.1, 0.5),
  p: float = 0.5,
  least: int | None = None,
  aspect: tuple[float, float] = (0.3, 1 / 0.3),
) -> Hidden:
  """Masks blocks of patches as `beit_block_mask`, of a share that is drawn for each example; the other examples stay whole.

  With probability p the share is uniform in `ratio`, else 0. Blocks are added until the share is reached or ten in a row do not fit, so that
  what is masked is at most the share.

  Args:
    keys: [b] one key per example.
    n: number of patches, on a square grid, or else
    grid: (height, width) in patches.
    ratio: range of the masked share, in [0, 1).
    p: probability that an example is masked.
    least: minimal area of a block, in patches; None for the square of a third of the shorter side, rounded down, as in iBOT.
    aspect: range of height / width.

  Returns:
    `Hidden`.

  Raises:
    ValueError: if the grid is not given or not square, or `ratio` is not a range in [0, 1).

  Reference: Zhou et al. (iBOT), ICLR 2022, arXiv:2111.07832, section 3.2 and official code, loader.py (ratio U(0.1, 0.5), p 0.5). Oquab et al.
    (DINOv2) 2023, arXiv:2304.07193, official code, data/masking.py and collate.py: blocks of at least 4, exactly half of the views of a
    process are masked, and their shares are drawn from equal parts of the range. Here 40 blocks are tried at most.
  """
  if not 0 <= ratio[0] <= ratio[1] < 1:
    raise ValueError(f'ratio is {ratio}: expected a range (low, high) in [0, 1)')
  height, width = _grid(n, grid)
  least = (min(height, width) // 3) ** 2 if least is None else least
  i, j = jnp.arange(height)[:, None], jnp.arange(width)
  share, blocks = jnp.split(uniform(keys, 2 + 4 * _BLOCKS), [2], 1)
  total = jnp.where(share[:, 0] < p, between(share[:, 1], ratio), 0) * height * width

  def add(carried: tuple[Array, Array], u: Array) -> tuple[tuple[Array, Array], None]:  # [b height width] and [b], [b 4]
    mask, failures = carried
    room = total - jnp.sum(mask, (1, 2))
    h, w = sides(least + u[:, 0] * (room - least), jnp.exp(between(u[:, 1], (math.log(aspect[0]), math.log(aspect[1])))))
    block = inside(i, place(u[:, 2], height - h), h) & inside(j, place(u[:, 3], width - w), w)
    new = jnp.sum(block & ~mask, (1, 2))
    take = (h < height) & (w < width) & (0 < new) & (new <= room) & (failures < _FAILURES)
    return (mask | block & wide(take, 3), jnp.where(take, 0, failures + 1)), None

  start = jnp.zeros((keys.shape[0], height, width), bool), jnp.zeros(keys.shape[0], jnp.int32)
  (mask, _), _ = jax.lax.scan(add, start, jnp.moveaxis(blocks.reshape(-1, _BLOCKS, 4), 1, 0))
  return Hidden(mask.reshape(-1, height * width))


def block_mask(
  keys: Keys,
  *,
  n: int | None = None,
  grid: tuple[int, int] | None = None,
  targets: int = 4,
  target_scale: tuple[float, float] = (0.15, 0.2),
  target_aspect: tuple[float, float] = (0.75, 1.5),
  context_scale: tuple[float, float] = (0.85, 1.0),
  keep: float = 0.25,
  least: int = 10,
) -> Blocks:
  """Several target blocks, and a large square context without the targets.

  A block of scale s and aspect r on n patches has sides round(sqrt(r int(s n))) and round(sqrt(int(s n) / r)), at most the grid's, and a
  uniform position. All targets of an example share one size, and have separate positions. The context is a block of aspect 1, without the
  patches of the targets.

  Shapes are static although sizes vary: `targets` has the width of the largest possible block, and a smaller block repeats its patches with
  `weight` 0. `keep` has a fixed number of context patches: the first in raster order, so that they remain a block, or repeated ones if there
  are fewer. Every entry is a valid position, and no entry of `keep` is in a target.

  Args:
    keys: [b] one key per example.
    n: number of patches, on a square grid, or else
    grid: (height, width) in patches.
    targets: number of target blocks, k.
    target_scale, context_scale: ranges of the area of a block as a share of the grid.
    target_aspect: range of height / width.
    keep: number of context tokens as a share of n, m = max(1, int(keep n)). On a 14 x 14 grid 99 % of the contexts have at least 0.25 n, and
      half have 0.45 n.
    least: a context with fewer patches is replaced by all patches outside the targets.

  Returns:
    `Blocks`.

  Raises:
    ValueError: if the grid is not given or not square, or the targets could cover it.

  Reference: Assran et al., 2023, arXiv:2301.08243, Section 3. The official code draws one size for the whole batch, scale and aspect from the
    same random number, never covers the last row or column, keeps blocks smaller than the grid, cuts every context to the smallest in the batch
    by dropping its last patches (about 0.25 n for 128 images; here to m, independently of the batch), and lets a context that is too small
    overlap the targets.
  """
  height, width = _grid(n, grid)
  n = height * width
  m = max(1, int(keep * n + 1e-6))
  t = _largest(n, (height, width), target_scale, target_aspect)
  if targets * t >= n:
    raise ValueError(
      f'block_mask: {targets} targets of up to {t} patches can cover the grid of {height} x {width}, leaving no '
      f'context; lower targets or target_scale {target_scale}, or use smaller patches'
    )

  def block(u: Array, scale: tuple[float, float], aspect: tuple[float, float]) -> tuple[Array, Array]:
    h, w = sides(jnp.floor(n * between(u[:, 0], scale) + 1e-4), between(u[:, 1], aspect))
    return jnp.clip(h, 1, height), jnp.clip(w, 1, width)

  def cover(h: Array, w: Array, top: Array, left: Array) -> Array:  # [b] each -> [b height width]
    return inside(jnp.arange(height)[:, None], top, h) & inside(jnp.arange(width), left, w)

  u_context, u = jnp.split(uniform(keys, 4 + 2 + 2 * targets), [4], 1)
  h, w = block(u, target_scale, target_aspect)
  top, left = place(u[:, 2::2], (height - h)[:, None]), place(u[:, 3::2], (width - w)[:, None])  # [b k]
  free = ~jnp.any(jax.vmap(cover, (None, None, 1, 1))(h, w, top, left), 0)

  area = (h * w).astype(jnp.int32)[:, None]
  i = jnp.arange(t) % area  # [b t]
  across = w.astype(jnp.int32)[:, None]
  rows = top.astype(jnp.int32)[..., None] + (i // across)[:, None]
  columns = left.astype(jnp.int32)[..., None] + (i % across)[:, None]
  weight = jnp.broadcast_to((jnp.arange(t) < area)[:, None], rows.shape).astype(jnp.float32)

  h, w = block(u_context, context_scale, (1.0, 1.0))
  context = free & cover(h, w, place(u_context[:, 2], height - h), place(u_context[:, 3], width - w))
  context = jnp.where(jnp.sum(context, (1, 2), keepdims=True) < least, free, context).reshape(-1, n)
  count = jnp.sum(context, 1, dtype=jnp.int32)[:, None]
  order = jnp.argsort(~context, axis=1).astype(jnp.int32)  # stable: the context in raster order, then the rest
  chosen = jnp.take_along_axis(order, jnp.arange(m) % count, 1)
  return Blocks(chosen, rows * width + columns, weight)


def split_by(score: Array, m: int) -> Masked:
  """Keeps the m tokens with the lowest scores visible."""
  order = jnp.argsort(score, axis=1).astype(jnp.int32)
  place = jnp.arange(order.shape[1], dtype=jnp.int32)
  restore = jax.vmap(lambda i: place.at[i].set(place, unique_indices=True))(order)
  return Masked(order[:, :m], restore >= m, order[:, m:], restore)


def count_kept(n: int, ratio: float) -> int:
  m = int(n * (1 - ratio) + 1e-6)  # 10 (1 - 0.9) is 0.99... in floating point
  if not 0 <= ratio < 1 or m < 1:
    raise ValueError(f'ratio is {ratio}: expected it in [0, 1), with at least one of the {n} tokens left; lower it')
  return m


def _grid(n: int | None, grid: tuple[int, int] | None) -> tuple[int, int]:
  if grid is None and n is not None and math.isqrt(n) ** 2 == n:
    return math.isqrt(n), math.isqrt(n)
  if grid is None or n not in (None, grid[0] * grid[1]):
    raise ValueError(f'n is {n} and grid is {grid}: give grid=(height, width), or a square number n of patches')
  return tuple(grid)


def _largest(n: int, grid: tuple[int, int], scale: tuple[float, float], aspect: tuple[float, float]) -> int:
  """Maximal number of patches of a block."""
  area = np.arange(int(n * scale[0] + 1e-4), int(n * scale[1] + 1e-4) + 1)[:, None]
  ratio = np.linspace(*aspect, 1001)
  h, w = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
  return int(np.max(np.clip(h, 1, grid[0]) * np.clip(w, 1, grid[1])))
