"""Layers whose randomness is the example's own, and convolutions as matrix products."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jssl.types import Array, Keys


class Conv(nnx.Module):
  """A convolution written as patches times a matrix: [b h w c] -> [b h/stride w/stride out], 'SAME' padding, no bias.

  Strided slices and one matrix product take less than half the time of XLA's convolution on a CPU for the small
  strided networks that train there. Initialised as He et al. 2015 (fan out).
  """

  def __init__(self, features: int, out: int, *, kernel: int = 3, stride: int = 1, rngs: nnx.Rngs):
    init = jax.nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')
    self.kernel = nnx.Param(init(rngs.params(), (kernel, kernel, features, out)))
    self.size, self.stride = kernel, stride

  def __call__(self, x: Array) -> Array:
    k, s = self.size, self.stride
    b, h, w, c = x.shape
    out_h, out_w = -(-h // s), -(-w // s)
    pad_h, pad_w = max((out_h - 1) * s + k - h, 0), max((out_w - 1) * s + k - w, 0)
    x = jnp.pad(x, ((0, 0), (pad_h // 2, pad_h - pad_h // 2), (pad_w // 2, pad_w - pad_w // 2), (0, 0)))
    if k == s:  # patches that do not overlap are a reshape
      x = x.reshape(b, out_h, k, out_w, k, c).transpose(0, 1, 3, 2, 4, 5)
    else:
      end = lambda i, n: i + (n - 1) * s + 1
      taps = [
        lax.slice(x, (0, i, j, 0), (b, end(i, out_h), end(j, out_w), c), (1, s, s, 1))
        for i in range(k)
        for j in range(k)
      ]
      x = jnp.concatenate(taps, -1)
    kernel = self.kernel[...].astype(x.dtype).reshape(k * k * c, -1)
    return (x.reshape(-1, k * k * c) @ kernel).reshape(b, out_h, out_w, -1)


def dropout(x: Array, rate: float, keys: Keys | None) -> Array:
  """Zeroes entries of x [b ...] with probability `rate` and scales the others; each example draws from its own key."""
  if not rate or keys is None:
    return x
  keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(keys)
  return jnp.where(keep, x / (1 - rate), 0)


def drop_path(x: Array, rate: Array | float, keys: Keys | None) -> Array:
  """Zeroes a whole example of x [b ...] with probability `rate` (stochastic depth, Huang et al. 2016)."""
  if keys is None or (isinstance(rate, float) and not rate):
    return x
  keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate))(keys)
  return jnp.where(keep.reshape(-1, *(1,) * (x.ndim - 1)), x / (1 - rate), 0)


def width_of(on: int | nnx.Module) -> int:
  """The width of what a head stands on: a network's output, or the number itself."""
  return on if isinstance(on, int) else on.dim
