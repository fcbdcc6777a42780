"""A multi-layer perceptron as a backbone, for vectors, tables and other small inputs."""

import math

import jax
from flax import nnx

from jssl.models.layers.dropout import dropout
from jssl.models.layers.normalization import normalization
from jssl.models.layers.shapes import shape_of, whole
from jssl.types import Array, Features, Keys, fold


class Mlp(nnx.Module):
  """Flattens the input, then applies linear, normalisation, ReLU and dropout for each width. The only token is the pooled vector.

  Args:
    on: shape of one example, or its ShapeDtypeStruct.
    widths: widths of the layers; the last is `dim`.
    norm: 'batch', 'layer' or 'none'.
    dropout: dropout rate after every layer.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Kernels are initialised as by He et al. for ReLU (arXiv:1502.01852, Eq. 10).
  """

  def __init__(
    self, on, *, widths: tuple[int, ...] = (512, 256), norm: str = 'batch', dropout: float = 0.0, dtype: str = 'float32', rngs: nnx.Rngs
  ):
    on = math.prod(shape_of(on))
    for i, width in enumerate(widths, 1):
      setattr(self, f'linear{i}', nnx.Linear(on, width, kernel_init=nnx.initializers.he_normal(), dtype=dtype, rngs=rngs))
      setattr(self, f'norm{i}', normalization(norm, width, dtype=dtype, rngs=rngs))
      on = width
    self.dim, self.depth, self.dropout = on, len(widths), dropout

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """[b ...] -> tokens [b 1 d], pooled [b d]."""
    whole(keep, 'an Mlp')
    if mask is not None:
      raise ValueError('an Mlp has no tokens to hide: corrupt its input in a view, or choose a ViT')
    x = x.reshape(len(x), -1)
    for i in range(1, self.depth + 1):
      x = jax.nn.relu(getattr(self, f'norm{i}')(getattr(self, f'linear{i}')(x)))
      x = dropout(x, None if keys is None else fold(keys, i), self.dropout)
    return Features(x[:, None], x)
