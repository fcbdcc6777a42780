"""Convolution; on CPUs by gathered patches."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax import lax

from jssl.ops.patches import patchify
from jssl.types import Array


def convolve(x: Array, kernel: Array, *, stride: int = 1, padding: int | str = 'SAME') -> Array:
  """2-D convolution by the fastest method of the platform, chosen at lowering.

  Kernels as large as their stride do not overlap, so they are a reshape and one matmul on every platform. Otherwise accelerators use XLA's
  convolution. On a CPU its backward pass is slow (up to tenfold on small maps), so patches are gathered by strided slices for one matmul.

  Args:
    x: [b h w c].
    kernel: [k k c d].
    stride: stride in both directions.
    padding: 'SAME' (outputs = ceil(inputs / stride), the odd row below and right), or rows to add on each side.

  Returns:
    [b h' w' d].
  """
  k, (_, h, w, c) = kernel.shape[0], x.shape
  pads = [_pads(size, k, stride, padding) for size in (h, w)]
  if k == stride:
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    rows, columns = x.shape[1] // k, x.shape[2] // k
    x = patchify(x[:, : rows * k, : columns * k], k)
    return (x @ kernel.reshape(k * k * c, -1)).reshape(-1, rows, columns, kernel.shape[-1])
  return lax.platform_dependent(
    x,
    kernel,
    cpu=lambda x, kernel: _gathered(x, kernel, stride, pads),
    default=lambda x, kernel: lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=('NHWC', 'HWIO', 'NHWC')),
  )


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
    lax.slice(x, (0, i, j, 0), (b, i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1, c), (1, stride, stride, 1))
    for i in range(k)
    for j in range(k)
  ]
  x = jnp.concatenate(taps, -1).reshape(-1, k * k * c)
  return (x @ kernel.reshape(k * k * c, -1)).reshape(b, rows, columns, -1)


class Conv(nnx.Module):
  """`convolve` with a learned kernel [k k c d], initialised as by He et al. for ReLU: N(0, 2 / (k k d)).

  Reference: He, Zhang, Ren, Sun, ICCV 2015, arXiv:1502.01852, Eq. 14 (the fan-out form, as in torchvision).
  """

  def __init__(
    self,
    on: int,
    width: int,
    *,
    kernel: int = 3,
    stride: int = 1,
    padding: int | str = 'SAME',
    bias: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    init = nnx.initializers.variance_scaling(2.0, 'fan_out', 'normal')
    self.kernel = nnx.Param(init(rngs.params(), (kernel, kernel, on, width)))
    self.bias = nnx.Param(jnp.zeros(width)) if bias else None
    self.stride, self.padding, self.dtype = stride, padding, dtype

  def __call__(self, x: Array) -> Array:
    x = convolve(x.astype(self.dtype), self.kernel[...].astype(self.dtype), stride=self.stride, padding=self.padding)
    return x if self.bias is None else x + self.bias[...].astype(self.dtype)
