"""From waveforms to frames, and positions of frames, by convolutions."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.normalization import GroupNorm, LayerNorm
from jssl.ops.waveforms import frame_count
from jssl.types import Array


class WaveEncoder(nnx.Module):
  """A waveform through convolutions without padding, each followed by a GELU; one frame every `prod(strides)` samples.

  Args:
    channels: of each convolution.
    kernels: their sizes.
    strides: of the convolutions.
    norm: 'group' normalises each channel of the first convolution over all its steps, padding included; 'layer' normalises each step of
      every convolution over its channels.
    bias: of the convolutions.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim`, the last of the channels.

  Raises:
    ValueError: an unknown norm, or not as many kernels and strides as channels.

  Reference: Baevski, Zhou, Mohamed, Auli (wav2vec 2.0), NeurIPS 2020, arXiv:2006.11477, sections 2 and 4.2; kernels as He et al.,
    arXiv:1502.01852, Eq. 10, as in the official code.
  """

  def __init__(
    self,
    *,
    channels: Sequence[int],
    kernels: Sequence[int],
    strides: Sequence[int],
    norm: str = 'group',
    bias: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    if norm not in ('group', 'layer'):
      raise ValueError(f"unknown norm {norm!r}: choose 'group' or 'layer'")
    if not len(channels) == len(kernels) == len(strides) > 0:
      raise ValueError(f'channels {channels}, kernels {kernels} and strides {strides} must be as many, one a convolution')
    self.depth, self.dim, self.kernels, self.strides = len(channels), channels[-1], tuple(kernels), tuple(strides)
    init, options = nnx.initializers.he_normal(), dict(dtype=jnp.dtype(dtype), rngs=rngs)
    for i, (on, width, kernel, stride) in enumerate(zip((1, *channels), channels, kernels, strides, strict=False)):
      conv = nnx.Conv(on, width, (kernel,), stride, padding='VALID', use_bias=bias, kernel_init=init, **options)
      setattr(self, f'conv{i}', conv)
      if norm == 'layer':
        setattr(self, f'norm{i}', LayerNorm(width, epsilon=1e-5, **options))
      elif i == 0:
        self.norm0 = GroupNorm(width, num_groups=width, epsilon=1e-5, **options)

  def __call__(self, x: Array) -> Array:
    """[b samples] -> [b n dim]."""
    x = x[..., None]
    for i in range(self.depth):
      x = getattr(self, f'conv{i}')(x)
      norm = getattr(self, f'norm{i}', None)
      x = jax.nn.gelu(x if norm is None else norm(x), approximate=False)
    return x

  def frames(self, samples: int | Array) -> int | Array:
    """How many frames a wave of so many samples has; an array of numbers gives one."""
    return frame_count(samples, self.kernels, self.strides)


class ConvPositions(nnx.Module):
  """What is added to tokens to tell their places apart: grouped convolutions over the tokens themselves, each followed by a GELU.

  Args:
    on: width of the tokens.
    kernel: tokens that a convolution sees; of an even number, one more lies before the token than after it.
    groups: of channels, which divide the width.
    layers: number of convolutions.
    norm: normalise after each convolution, without scale and shift.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Reference: Baevski et al., arXiv:2006.11477, section 2 (Transformer) and 4.2, after Mohamed, Okhonko, Zettlemoyer, arXiv:1904.11660;
    several convolutions: Baevski et al. (data2vec), ICML 2022, arXiv:2202.03555, official code. The official code of wav2vec 2.0
    normalises the kernel's weights (Salimans, Kingma, arXiv:1602.07868); here the kernel is one parameter.
  """

  def __init__(self, on: int, *, kernel: int, groups: int, layers: int = 1, norm: bool = False, dtype: str = 'float32', rngs: nnx.Rngs):
    self.layers, options = layers, dict(dtype=jnp.dtype(dtype), rngs=rngs)
    init, padding = nnx.initializers.normal((4 / (kernel * on)) ** 0.5), [(kernel // 2, (kernel - 1) // 2)]
    for i in range(layers):
      conv = nnx.Conv(on, on, (kernel,), padding=padding, feature_group_count=groups, kernel_init=init, **options)
      setattr(self, f'conv{i}', conv)
    self.norm = LayerNorm(on, epsilon=1e-5, use_scale=False, use_bias=False, **options) if norm else None

  def __call__(self, x: Array) -> Array:
    """[b n d] -> [b n d]."""
    for i in range(self.layers):
      x = getattr(self, f'conv{i}')(x)
      x = jax.nn.gelu(x if self.norm is None else self.norm(x), approximate=False)
    return x
