"""Waveforms: their frames, their mean and variance, and their cepstrum."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
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


WINDOW, HOP = 25, 10  # milliseconds
BANDS, CEPSTRA, LIFTER, LOWEST, FLOOR = 23, 13, 22, 20.0, 2.0**-23


def mfcc(x: Num[Array, 'b n'], *, rate: int = 16_000) -> Float[Array, 'b t 39']:
  """13 mel-frequency cepstral coefficients with their first and second differences, every 10 ms from windows of 25 ms.

  Each window loses its mean, is emphasised by y_n = x_n - 0.97 x_(n-1), and weighed by a Hann window to the power of 0.85. The logarithms of 23
  triangular bands of its power, evenly spaced from 20 Hz to rate / 2 on the scale 1127 log(1 + f / 700), go through an orthonormal cosine
  transform, and coefficient i is multiplied by 1 + 11 sin(pi i / 22). Differences are sum_k k c_(t+k) / 10 over k from -2 to 2, with the first
  and the last frame repeated beyond the ends.

  Args:
    x: waveforms.
    rate: samples per second.

  Reference: Davis, Mermelstein, IEEE TASSP 28, 1980, doi:10.1109/TASSP.1980.1163420; as by Kaldi without dither and energy, which the official
  code of HuBERT takes, examples/hubert/simple_kmeans/dump_mfcc_feature.py.
  """
  window, hop = rate * WINDOW // 1000, rate * HOP // 1000
  size = 2 ** math.ceil(math.log2(window))
  frames = (x.shape[1] - window) // hop + 1
  y = x.astype(jnp.float32)[:, np.arange(frames)[:, None] * hop + np.arange(window)]
  y = y - jnp.mean(y, -1, keepdims=True)
  y = (y - 0.97 * jnp.concatenate([y[..., :1], y[..., :-1]], -1)) * np.hanning(window).astype(np.float32) ** 0.85
  power = jnp.square(jnp.abs(jnp.fft.rfft(y, size)))[..., : size // 2]
  log_bands = jnp.log(jnp.maximum(jnp.matmul(power, _bands(rate, size), precision='highest'), FLOOR))
  i, j = np.arange(CEPSTRA), np.arange(BANDS)
  cosines = np.sqrt(np.where(i, 2, 1) / BANDS) * np.cos(np.pi * (j[:, None] + 0.5) * i / BANDS) * (1 + LIFTER / 2 * np.sin(np.pi * i / LIFTER))
  found = [jnp.matmul(log_bands, cosines.astype(np.float32), precision='highest')]
  for _ in range(2):
    c = jnp.pad(found[-1], ((0, 0), (2, 2), (0, 0)), mode='edge')
    found.append(sum((k * c[:, 2 + k : 2 + k + frames] for k in (-2, -1, 1, 2)), jnp.zeros(())) / 10)
  return jnp.concatenate(found, -1)


def _bands(rate: int, size: int) -> np.ndarray:
  """[size / 2, bands] float32, the weight of each frequency in each band."""
  mel = lambda f: 1127 * np.log(1 + f / 700)
  edges = np.linspace(mel(LOWEST), mel(rate / 2), BANDS + 2)
  f = mel(np.arange(size // 2)[:, None] * rate / size)
  rise, fall = (f - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - f) / (edges[2:] - edges[1:-1])
  return np.maximum(np.minimum(rise, fall), 0).astype(np.float32)
