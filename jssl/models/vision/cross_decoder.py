"""A decoder for masked positions with cross-attention to the visible tokens."""

import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import patches_of, temperature_of
from jssl.models.layers import positions
from jssl.models.layers.attention import attention
from jssl.models.layers.blocks import scan, stacked
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.text.transformer import CrossBlock
from jssl.types import Array, Keys


class CrossDecoder(nnx.Module):
  """Queries at the masked positions attend to each other and, by cross-attention, to the visible tokens.

  A query is initialised as a learned mask token, plus the visible tokens weighted by softmax_j(p_i . p_j / sqrt(d)) of the positions, plus its
  own position. A learned class token is added to the queries, and is dropped at the end.

  Args:
    on: the backbone, which determines the grid of positions.
    width: d, width of the decoder.
    depth: number of blocks.
    heads: number of attention heads.
    dim: input and output width, if a head after the backbone changes it.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: if the backbone has no patches.

  Reference: Wei, Gupta, Morgado, ECCV 2024, arXiv:2407.15837, section 3 and the official code (depth 3, width 512; the class token starts at
    N(0, 0.02^2), the mask token at 0). There, queries also attend to the encoder's class token, which is not included in the tokens here.
  """

  def __init__(
    self,
    on: nnx.Module,
    *,
    width: int = 512,
    depth: int = 3,
    heads: int = 16,
    dim: int | None = None,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.grid, _ = patches_of(on, 'a CrossDecoder')
    self.dim, self.temperature, self.remat = dim or on.dim, temperature_of(on), remat
    options = dict(kernel_init=kernel_init(0.0), dtype=jnp.dtype(dtype), rngs=rngs)
    self.embed = nnx.Linear(self.dim, width, **options)
    self.mask_token = nnx.Param(jnp.zeros(width))
    self.cls = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (width,)))
    block = dict(context=width, heads=heads, causal=False, norm_context=True, std=0.0, dtype=dtype)
    self.blocks = stacked(lambda rngs: CrossBlock(width, rngs=rngs, **block), depth, rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, dtype=jnp.dtype(dtype), rngs=rngs)
    self.proj = nnx.Linear(width, self.dim, **options)

  def __call__(self, x: Array, visible: Array, hidden: Array, *, keys: Keys | None = None) -> Array:
    """Tokens [b m d] at the visible positions [b m], and the masked positions [b k] to predict -> [b k d]."""
    x = self.embed(x)
    table = jnp.asarray(positions.sincos(self.grid, x.shape[-1], self.temperature).astype(x.dtype))
    near = attention(table[hidden][:, :, None], table[visible][:, :, None], x[:, :, None])[:, :, 0]
    query = self.mask_token[...].astype(x.dtype) + near + table[hidden]
    query = jnp.concatenate([jnp.broadcast_to(self.cls[...].astype(x.dtype), (len(x), 1, x.shape[-1])), query], 1)
    y, _ = scan(self.blocks, query, remat=self.remat, context=x + table[visible])
    return self.proj(self.norm(y[:, 1:]))
