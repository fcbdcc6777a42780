"""A transformer for multivariate series."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import FeedForward, called
from jssl.models.layers.dropout import dropout
from jssl.models.layers.normalization import normalization
from jssl.models.layers.shapes import shape_of, whole
from jssl.types import Array, Features, Keys, fold


class BatchNormBlock(nnx.Module):
  """norm(x + attention(x)), then norm(x + mlp(x)), with batch normalisation over batch and time."""

  def __init__(self, on: int, *, heads: int, ratio: float, dropout: float, dtype: str = 'float32', rngs: nnx.Rngs):
    options = dict(dtype=dtype, rngs=rngs)
    self.attention = Attention(on, heads=heads, dropout=dropout, std=0.0, **options)
    self.mlp = FeedForward(on, width=int(on * ratio), dropout=dropout, std=0.0, **options)
    self.norm1, self.norm2 = normalization('batch', on, **options), normalization('batch', on, **options)
    self.dropout = dropout

  def __call__(self, x: Array, *, mask: Array, keys: Keys | None = None) -> Array:
    key = lambda i: None if keys is None else fold(keys, i)
    x = self.norm1(x + dropout(self.attention(x, mask=mask, keys=key(3)), key(0), self.dropout))
    return self.norm2(x + dropout(self.mlp(x, keys=key(1)), key(2), self.dropout))


class TST(nnx.Module):
  """A post-norm transformer with batch norm over time steps; pooled is the mean over steps without padding.

  The projected input is multiplied by sqrt(d), and a GELU follows the last block. Steps that are zero in all variables are padding and are not
  attended to.

  Args:
    on: (t, c) of one series, or its ShapeDtypeStruct.
    width: d.
    depth: number of blocks.
    heads: number of attention heads.
    ratio: width of a block's hidden layer over d.
    dropout: dropout rate in the blocks, including attention probabilities, after the positions and after the last GELU.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Zerveas, Jayaraman, Patel, Bhamidipaty, Eickhoff, KDD 2021, arXiv:2010.02803, sections 3.1 and 3.2. The paper
    classifies by the concatenation of all steps. The scale and the last GELU are those of the official code, `TSTransformerEncoder`.
  """

  def __init__(
    self,
    on,
    *,
    width: int = 64,
    depth: int = 3,
    heads: int = 8,
    ratio: float = 4.0,
    dropout: float = 0.1,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    t, c = shape_of(on)
    self.embed = nnx.Linear(c, width, dtype=jnp.dtype(dtype), rngs=rngs)
    self.positions = nnx.Param(jax.random.uniform(rngs.params(), (t, width), minval=-0.02, maxval=0.02))
    for i in range(depth):
      setattr(self, f'block{i}', BatchNormBlock(width, heads=heads, ratio=ratio, dropout=dropout, dtype=dtype, rngs=rngs))
    self.dim, self.depth, self.channels, self.dropout, self.remat, self.dtype = width, depth, c, dropout, remat, dtype

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """x [b t c]; values of `mask` [b t c] are set to 0 -> tokens [b t d], pooled [b d]."""
    whole(keep, 'a TST')
    key = lambda i: None if keys is None else fold(keys, i)
    real = jnp.any(x != 0, -1)
    x = math.sqrt(self.dim) * self.embed(x if mask is None else jnp.where(mask, 0, x)) + self.positions[...].astype(self.dtype)
    x = dropout(x, key(self.depth), self.dropout)
    for i in range(self.depth):
      x = called(getattr(self, f'block{i}'), x, remat=self.remat, mask=real, keys=key(i))
    x = dropout(nnx.gelu(x, approximate=False), key(self.depth + 1), self.dropout)
    count = jnp.maximum(jnp.sum(real, 1, keepdims=True), 1)
    return Features(x, jnp.sum(jnp.where(real[..., None], x, 0), 1) / count)
