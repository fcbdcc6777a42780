"""Waveforms: their frames, and their mean and variance."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, Num

from jssl.types import Array


def frame_count(samples: int | Int[Array, ' b'], kernels: Sequence[int], strides: Sequence[int]) -> int | Int[Array, ' b']:
  """How many frames convolutions without padding make of so many samples; 0 where they are too few.

  Args:
    samples: a number, or one a wave.
    kernels: sizes of the convolutions, from the first on.
    strides: of the convolutions.
  """
  for kernel, stride in zip(kernels, strides, strict=True):
    samples = (samples - kernel) // stride + 1
  return samples * (samples > 0)


def real_steps(lengths: Int[Array, ' b'], n: int) -> Bool[Array, 'b n']:
  """True for the first `lengths` of n steps."""
  return jnp.arange(n) < lengths[:, None]


def standardize(x: Num[Array, 'b n'], lengths: Int[Array, ' b'] | None = None, *, eps: float = 1e-7) -> Float[Array, 'b n']:
  """Each waveform with zero mean and unit variance: (x - mean) / sqrt(variance + eps), in float32.

  This is what `do_normalize` in preprocessor_config.json asks for beside the weights of wav2vec 2.0 and HuBERT.

  Args:
    x: waveforms, padded at the end.
    lengths: samples of each wave. Only these count in mean and variance, and padding is set to 0. None where there is no padding.
    eps: is added to the variance.

  Reference: Baevski, Zhou, Mohamed, Auli, NeurIPS 2020, arXiv:2006.11477, section 2; the feature extractor of transformers for eps.
  """
  x = x.astype(jnp.float32)
  real = jnp.ones(x.shape, bool) if lengths is None else real_steps(lengths, x.shape[1])
  mean = jnp.mean(x, 1, where=real, keepdims=True)
  variance = jnp.mean((x - mean) ** 2, 1, where=real, keepdims=True)
  return jnp.where(real, (x - mean) * jax.lax.rsqrt(variance + eps), 0)
