"""Swin transformers."""

from functools import partial

import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import FeedForward, rates_of_stages, scan, stacked
from jssl.models.layers.convolution import Conv
from jssl.models.layers.dropout import drop_path as dropped
from jssl.models.layers.dropout import hide
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import image_shape, whole
from jssl.models.vision.convnet import patch_of
from jssl.types import Array, Features, Keys, fold

EPSILON = 1e-5  # of all normalisations


class SwinBlock(nnx.Module):
  """x + attention(norm(x)) within windows, then x + mlp(norm(x)), with stochastic depth.

  Args:
    on: width of the tokens.
    heads: of the attention.
    window: (rows, columns).
    ratio: width of the hidden layer over that of the tokens.
    bias: of queries, keys and values.
    timm: as in `Swin`.
    dtype: to compute in.
  """

  def __init__(self, on: int, *, heads: int, window: tuple[int, int], ratio: float, bias: bool, timm: bool, dtype: str, rngs: nnx.Rngs):
    options = dict(epsilon=EPSILON, dtype=jnp.dtype(dtype), rngs=rngs)
    offsets = (2 * window[0] - 1) * (2 * window[1] - 1)
    self.norm1 = LayerNorm(on, **options)
    self.attention = Attention(on, heads=heads, bias=bias, proj_bias=True, dtype=dtype, rngs=rngs)
    self.table = nnx.Param(kernel_init(0.02)(rngs.params(), (offsets, heads)))
    self.norm2 = LayerNorm(on, **options)
    self.mlp = FeedForward(on, width=int(ratio * on), dtype=dtype, rngs=rngs)
    self.window, self.timm = window, timm

  def __call__(self, x: Array, *, shifted: Array, mask: None = None, keys: Keys | None = None, rate: Array | None = None) -> Array:
    """[b h w d] -> [b h w d].

    Args:
      shifted: [] bool, whether the windows are half a window further down and right.
      rate: of stochastic depth, None for none.
    """
    add = lambda x, y, i: x + (y if rate is None else dropped(y, None if keys is None else fold(keys, i), rate))
    x = add(x, self._attend(self.norm1(x), shifted), 0)
    return add(x, self.mlp(self.norm2(x)), 1)

  def _attend(self, x: Array, shifted: Array) -> Array:
    (h, w), window = x.shape[1:3], self.window
    shift = shift_of((h, w), window, self.timm)
    roll = lambda x, by: jnp.roll(x, shifted * np.array(by), (1, 2)) if any(shift) else x
    pad = lambda x: jnp.pad(x, ((0, 0), *((0, -side % of) for side, of in zip((h, w), window, strict=True)), (0, 0)))
    back, forth = tuple(-s for s in shift), shift
    x = pad(roll(x, back)) if self.timm else roll(pad(x), back)
    sides = x.shape[1:3]
    x = windows_of(x, window)
    mask = None
    if any(shift):
      mask = jnp.asarray(same_region(sides, window, shift)) | ~shifted
      mask = jnp.tile(mask, (len(x) // len(mask), 1, 1))
    bias = jnp.moveaxis(self.table[...][offsets_of(window)], -1, 0)[None]
    x = map_of(self.attention(x, mask=mask, bias=bias), sides, window)
    return roll(x[:, :h, :w], forth) if self.timm else roll(x, forth)[:, :h, :w]


class Merge(nnx.Module):
  """2x2 cells side by side, layer norm, and a linear map to twice the width; zeros are added below and right of odd sides."""

  def __init__(self, on: int, *, dtype: str, rngs: nnx.Rngs):
    options = dict(dtype=jnp.dtype(dtype), rngs=rngs)
    self.norm = LayerNorm(4 * on, epsilon=EPSILON, **options)
    self.linear = nnx.Linear(4 * on, 2 * on, use_bias=False, kernel_init=kernel_init(0.02), **options)

  def __call__(self, x: Array) -> Array:
    x = jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)))
    b, h, w, d = x.shape
    # Down the columns first, as in published weights.
    x = x.reshape(b, h // 2, 2, w // 2, 2, d).transpose(0, 1, 3, 4, 2, 5).reshape(b, h // 2, w // 2, 4 * d)
    return self.linear(self.norm(x))


class Swin(nnx.Module):
  """A Swin transformer without its classifier; tokens are the cells of the last map, normalised, pooled is their mean.

  Parameters of a stage's blocks are stacked on a leading layer axis and scanned over; every second block shifts its windows. Zeros are
  added below and right where windows do not divide the map.

  Args:
    on: (h, w, c) of one image, or its ShapeDtypeStruct; other sizes are taken too, with the same windows.
    width: d of the first stage, doubled from stage to stage.
    depths: blocks in each stage; every stage but the first halves the map.
    heads: of the attention in each stage.
    patch: side of a patch in pixels.
    window: side of a window in cells; none is shifted where it is no smaller than a map's shorter side.
    fit: make windows no larger than the shorter sides of the maps of `on`, as the official code does; otherwise zeros are added to smaller
      maps, as transformers' weights ask for.
    ratio: width of a block's hidden layer over that of its tokens.
    bias: of queries, keys and values.
    timm: fit and shift windows along each side of a map by itself, shift before zeros are added, and cut what is left of an image that
      patches do not divide, as timm does. It makes a difference only for such images, for maps that windows do not divide, and for maps
      that are as narrow as a window along one side.
    drop_path: rate of stochastic depth of the last block, growing linearly from 0 at the first.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim`, `grid`, `channels`, `patch`, as in `ConvNet`; `grids`, that of each stage.

  Raises:
    ValueError: depths and heads are not as many, or heads do not divide the width.

  Reference: Liu et al., ICCV 2021, arXiv:2103.14030, sections 3.1-3.3, Eq. 3 and 4, Table 7; padding and masks as in the official code.
  """

  def __init__(
    self,
    on,
    *,
    width: int,
    depths: tuple[int, ...],
    heads: tuple[int, ...],
    patch: int = 4,
    window: int = 7,
    ratio: float = 4.0,
    bias: bool = True,
    fit: bool = True,
    timm: bool = False,
    drop_path: float = 0.0,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    h, w, c = image_shape(on)
    if len(depths) != len(heads):
      raise ValueError(f'a Swin transformer was given {len(depths)} depths and heads of {len(heads)} stages: give one of each a stage')
    self.image, self.width, self.window, self.ratio, self.bias = (h, w), width, window, ratio, bias
    self.depths, self.heads, self.stride, self.fit, self.timm = tuple(depths), tuple(heads), patch, fit, timm
    self.drop_path, self.remat, self.channels = drop_path, remat, c
    self.stem = Conv(c, width, kernel=patch, stride=patch, padding=0, bias=True, std=0.02, dtype=dtype, rngs=rngs)
    self.stem_norm = LayerNorm(width, epsilon=EPSILON, dtype=jnp.dtype(dtype), rngs=rngs)
    grids, grid = [], tuple(side // patch if timm else -(-side // patch) for side in (h, w))
    for i, (depth, number) in enumerate(zip(depths, heads, strict=True), 1):
      if i > 1:
        setattr(self, f'merge{i}', Merge(width, dtype=dtype, rngs=rngs))
        width, grid = 2 * width, tuple(-(-side // 2) for side in grid)
      grids.append(grid)
      options = dict(heads=number, window=window_of(grid, window, fit, timm), ratio=ratio, bias=bias, timm=timm, dtype=dtype)
      make = partial(SwinBlock, width, **options)
      setattr(self, f'stage{i}', stacked(lambda rngs, make=make: make(rngs=rngs), depth, rngs=rngs))
    self.norm = LayerNorm(width, epsilon=EPSILON, dtype=jnp.dtype(dtype), rngs=rngs)
    self.dim, self.grid, self.grids, self.patch = width, grid, tuple(grids), patch_of((h, w), grid)

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """[b h w c] -> tokens [b n d], pooled [b d]; cells of `mask` [b n] are blanked in the image."""
    whole(keep, 'a Swin transformer')
    x = self.norm(self.maps(x, mask=mask, keys=keys)[-1])
    return Features(x.reshape(x.shape[0], -1, self.dim), jnp.mean(x, (1, 2)))

  def maps(self, x: Array, *, mask: Array | None = None, keys: Keys | None = None) -> list[Array]:
    """What every stage gives, [b h w d] each, not normalised; as in a call."""
    x, found = hide(x, mask, self.grid), []
    if not self.timm:
      x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % self.stride), (0, -x.shape[2] % self.stride), (0, 0)))
    x = self.stem_norm(self.stem(x))
    for i, (depth, rates) in enumerate(zip(self.depths, rates_of_stages(self.drop_path, self.depths), strict=True), 1):
      x = getattr(self, f'merge{i}')(x) if i > 1 else x
      keyed, shifted = None if keys is None else fold(keys, i), jnp.arange(depth) % 2 == 1
      x, _ = scan(getattr(self, f'stage{i}'), x, keys=keyed, drop_path=rates, remat=self.remat, each=dict(shifted=shifted))
      found.append(x)
    return found


def window_of(grid: tuple[int, int], window: int, fit: bool, timm: bool) -> tuple[int, int]:
  """Sides of the windows of a map, with the options of `Swin`."""
  sides = grid if timm else (min(grid),) * 2
  return tuple(min(side, window) for side in sides) if fit else (window, window)


def shift_of(grid: tuple[int, int], window: tuple[int, int], timm: bool) -> tuple[int, int]:
  """Rows and columns by which windows are shifted: none where there is one window alone."""
  shift = tuple(0 if side <= of else of // 2 for side, of in zip(grid, window, strict=True))
  return shift if timm or all(shift) else (0, 0)


def windows_of(x: Array, window: tuple[int, int]) -> Array:
  """[b h w d] -> [b*windows n d], the cells of each window, which divides the map."""
  (b, h, w, d), (p, q) = x.shape, window
  return x.reshape(b, h // p, p, w // q, q, d).swapaxes(2, 3).reshape(-1, p * q, d)


def map_of(x: Array, sides: tuple[int, int], window: tuple[int, int]) -> Array:
  """The inverse of `windows_of`, for a map of these sides."""
  (h, w), (p, q) = sides, window
  return x.reshape(-1, h // p, w // q, p, q, x.shape[-1]).swapaxes(2, 3).reshape(-1, h, w, x.shape[-1])


def same_region(sides: tuple[int, int], window: tuple[int, int], shift: tuple[int, int]) -> np.ndarray:
  """Which cells of a window of a shifted map lay side by side before the shift, [windows n n]."""
  rows, columns = (
    (np.arange(side) >= side - of) * 1 + (np.arange(side) >= side - by) for side, of, by in zip(sides, window, shift, strict=True)
  )
  region = rows[:, None] * 3 + columns
  (h, w), (p, q) = sides, window
  region = region.reshape(h // p, p, w // q, q).swapaxes(1, 2).reshape(-1, p * q)
  return region[:, :, None] == region[:, None]


def offsets_of(window: tuple[int, int]) -> np.ndarray:
  """The row of the table of relative positions for each two cells of a window, [n n]."""
  rows, columns = (x.reshape(-1) for x in np.indices(window))
  row, column = (x[:, None] - x + side - 1 for x, side in zip((rows, columns), window, strict=True))
  return row * (2 * window[1] - 1) + column


swin_tiny = partial(Swin, width=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24))  # 27.5M parameters, d = 768
swin_small = partial(Swin, width=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24))  # 48.8M, d = 768
swin_base = partial(Swin, width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32))  # 86.7M, d = 1024
