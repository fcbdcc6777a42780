"""Layers that backbones share: convolution, patches, normalisation, and dropout with one key an example."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jssl.parts.patches import patchify
from jssl.types import Array, Keys

# The variance in two passes: E[x^2] - E[x]^2 in float32 loses its digits where the mean is large against the deviation.
LayerNorm = partial(nnx.LayerNorm, use_fast_variance=False)
GroupNorm = partial(nnx.GroupNorm, use_fast_variance=False)
BatchNorm = partial(nnx.BatchNorm, use_fast_variance=False)


def dropout(x: Array, keys: Keys | None, rate: float) -> Array:
  """Zero entries with probability `rate` and scale up the rest; each example draws from its own key.

  Args:
    x: [b ...].
    keys: [b] typed keys, or None for evaluation, when nothing is dropped.
    rate: in [0, 1).

  Returns:
    [b ...], of the same mean as `x`.

  Reference: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 2014, section 4.
  """
  if keys is None or rate == 0:
    return x
  kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(keys)
  return jnp.where(kept, x / (1 - rate), 0).astype(x.dtype)


def drop_path(x: Array, keys: Keys | None, rate: float | Array) -> Array:
  """Zero whole examples of a residual branch with probability `rate` and scale up the rest (stochastic depth).

  Args:
    x: [b ...], what a branch adds to its residual stream.
    keys: [b] typed keys, or None for evaluation.
    rate: in [0, 1), a number or a scalar array: blocks that are scanned over have one rate each.

  Returns:
    [b ...].

  Reference: Huang, Sun, Liu, Sedra, Weinberger, ECCV 2016, arXiv:1603.09382, Eq. 2; rescaled at training time.
  """
  if keys is None:
    return x
  kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate))(keys)
  return jnp.where(kept.reshape(-1, *[1] * (x.ndim - 1)), x / (1 - rate), 0).astype(x.dtype)


def hide(x: Array, mask: Array | None, grid: tuple[int, int]) -> Array:
  """Paint the hidden cells of a grid with zeros, the mean colour of a standardised image.

  A convolution needs its neighbours to exist, so what a transformer replaces by a learned token is here blanked at
  the input.

  Args:
    x: [b h w c].
    mask: [b n] bool, True = hidden, over the cells of `grid` in raster order; None hides nothing.
    grid: (rows, columns).

  Returns:
    [b h w c].
  """
  if mask is None:
    return x
  _, h, w, _ = x.shape
  mask = mask.reshape(-1, *grid)[:, jnp.arange(h) * grid[0] // h][:, :, jnp.arange(w) * grid[1] // w]
  return jnp.where(mask[..., None], 0, x)


def convolve(x: Array, kernel: Array, *, stride: int = 1, padding: int | str = 'SAME') -> Array:
  """2-D convolution in the form that is fastest where it runs, chosen when it is lowered.

  Kernels as large as their stride do not overlap, so they are a reshape and one matmul everywhere. Elsewhere the
  accelerator has its own convolution; on a CPU the backward pass of that one is slow (up to tenfold on small maps),
  and gathering the patches by strided slices for one matmul is not.

  Args:
    x: [b h w c].
    kernel: [k k c d].
    stride: of both directions.
    padding: 'SAME' (outputs = ceil(inputs / stride), the odd row below and right), or rows to add on each side.

  Returns:
    [b h' w' d].
  """
  k, (_, h, w, c) = kernel.shape[0], x.shape
  pads = [_pads(size, k, stride, padding) for size in (h, w)]
  if k == stride:
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    rows, columns = x.shape[1] // k, x.shape[2] // k
    x = patchify(x[:, :rows * k, :columns * k], k)
    return (x @ kernel.reshape(k * k * c, -1)).reshape(-1, rows, columns, kernel.shape[-1])
  return lax.platform_dependent(
    x, kernel,
    cpu=lambda x, kernel: _gathered(x, kernel, stride, pads),
    default=lambda x, kernel: lax.conv_general_dilated(
      x, kernel, (stride, stride), pads, dimension_numbers=('NHWC', 'HWIO', 'NHWC')))


def _pads(size: int, k: int, stride: int, padding: int | str) -> tuple[int, int]:
  if padding == 'SAME':
    total = max((math.ceil(size / stride) - 1) * stride + k - size, 0)
    return total // 2, total - total // 2
  return padding, padding


def _gathered(x: Array, kernel: Array, stride: int, pads: Sequence[tuple[int, int]]) -> Array:
  k = kernel.shape[0]
  x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
  b, h, w, c = x.shape
  rows, columns = (h - k) // stride + 1, (w - k) // stride + 1
  taps = [
    lax.slice(x, (0, i, j, 0), (b, i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1, c),
              (1, stride, stride, 1))
    for i in range(k) for j in range(k)]
  x = jnp.concatenate(taps, -1).reshape(-1, k * k * c)
  return (x @ kernel.reshape(k * k * c, -1)).reshape(b, rows, columns, -1)


class Conv(nnx.Module):
  """`convolve` with a kernel of its own, [k k c d], drawn as He et al. do for ReLU: N(0, 2 / (k k d)).

  Reference: He, Zhang, Ren, Sun, ICCV 2015, arXiv:1502.01852, Eq. 14 (the fan-out form, as torchvision has it).
  """

  def __init__(self, on: int, width: int, *, kernel: int = 3, stride: int = 1, padding: int | str = 'SAME',
               bias: bool = False, dtype: str = 'float32', rngs: nnx.Rngs):
    init = nnx.initializers.variance_scaling(2., 'fan_out', 'normal')
    self.kernel = nnx.Param(init(rngs.params(), (kernel, kernel, on, width)))
    self.bias = nnx.Param(jnp.zeros(width)) if bias else None
    self.stride, self.padding, self.dtype = stride, padding, dtype

  def __call__(self, x: Array) -> Array:
    x = convolve(x.astype(self.dtype), self.kernel[...].astype(self.dtype), stride=self.stride, padding=self.padding)
    return x if self.bias is None else x + self.bias[...].astype(self.dtype)


class Identity(nnx.Module):
  """Gives back what it is given."""

  def __call__(self, x: Array) -> Array:
    return x


def normalization(kind: str, width: int, *, zero: bool = False, affine: bool = True, dtype: str = 'float32',
         rngs: nnx.Rngs) -> nnx.Module:
  """A normalisation by name.

  Args:
    kind: 'batch' (statistics of the global batch; running ones move by a tenth a step), 'group' (32 groups, or as many
      as divide the width), 'layer', 'none'.
    width: channels.
    zero: start with scale 0, so that a residual branch begins as nothing.
    affine: learn a scale and a shift.
    dtype: of the output; statistics are always float32.
    rngs: as nnx asks for.

  Raises:
    ValueError: an unknown kind.

  Reference: Ioffe, Szegedy, arXiv:1502.03167; Wu, He, arXiv:1803.08494; Ba, Kiros, Hinton, arXiv:1607.06450; zero
    scale: Goyal et al., arXiv:1706.02677, section 5.1.
  """
  init = nnx.initializers.zeros if zero else nnx.initializers.ones
  options = dict(scale_init=init, use_scale=affine, use_bias=affine, dtype=jnp.dtype(dtype), rngs=rngs)
  match kind:
    case 'batch':
      return BatchNorm(width, momentum=0.9, epsilon=1e-5, **options)
    case 'group':
      return GroupNorm(width, num_groups=math.gcd(32, width), epsilon=1e-5, **options)
    case 'layer':
      return LayerNorm(width, epsilon=1e-6, **options)
    case 'none':
      return Identity()
  raise ValueError(f"unknown norm {kind!r}: choose 'batch', 'group', 'layer' or 'none'")


def kernel_init(std: float) -> Callable:
  """N(0, std^2) (BEiT, DINO, I-JEPA at 0.02), or Xavier's uniform for 0 (MAE, MoCo v3).

  Official code says truncated normal, but truncates at +-2 in absolute terms, a hundred standard deviations away.

  Reference: Glorot, Bengio, AISTATS 2010, Eq. 16.
  """
  return nnx.initializers.normal(std) if std else nnx.initializers.xavier_uniform()


def shape_of(on: Sequence[int] | jax.ShapeDtypeStruct) -> tuple[int, ...]:
  """The shape of one example, from a shape or anything that has one."""
  return tuple(getattr(on, 'shape', on))


def image_shape(on: Sequence[int] | jax.ShapeDtypeStruct) -> tuple[int, int, int]:
  """The shape (h, w, c) of one image.

  Raises:
    ValueError: not three axes.
  """
  shape = shape_of(on)
  if len(shape) != 3:
    raise ValueError(f'an image backbone stands on images of shape (h, w, c), and was given {shape}')
  return shape


def whole(keep: Array | None, name: str) -> None:
  """Refuse `keep` for a network that cannot leave tokens out.

  Raises:
    ValueError: `keep` is given.
  """
  if keep is not None:
    raise ValueError(f'{name} cannot encode a subset of its tokens: use `mask` to hide them, or a ViT for `keep`')
