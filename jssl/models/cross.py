"""A decoder that asks the visible tokens, by cross-attention, about hidden positions."""

import jax.numpy as jnp
from flax import nnx

from jssl.models import positions
from jssl.models.attention import Attention
from jssl.models.blocks import FeedForward, scan, stacked
from jssl.models.heads import patches_of, temperature_of
from jssl.models.layers import LayerNorm, kernel_init
from jssl.types import Array, Keys


class CrossBlock(nnx.Module):
  """x + attention(norm(x), context), then x + mlp(norm(x))."""

  def __init__(self, on: int, *, heads: int, context: int, rngs: nnx.Rngs):
    self.norm1, self.norm2 = LayerNorm(on, epsilon=1e-6, rngs=rngs), LayerNorm(on, epsilon=1e-6, rngs=rngs)
    self.attention = Attention(on, heads=heads, context=context, std=0., rngs=rngs)
    self.mlp = FeedForward(on, width=4 * on, std=0., rngs=rngs)

  def __call__(self, x: Array, *, context: Array, mask: Array | None = None, keys: Keys | None = None,
               rate: float | Array | None = None) -> Array:
    """x [b n d], context [b m e] -> [b n d]; there is no dropout, so `keys` and `rate` do nothing."""
    x = x + self.attention(self.norm1(x), context, mask=mask)
    return x + self.mlp(self.norm2(x))


class CrossDecoder(nnx.Module):
  """Queries at the hidden positions, starting from the mean visible token, through cross-attention to the visible ones.

  Queries do not see each other.

  Args:
    on: the backbone, whose grid the positions lie on.
    width: of the decoder.
    depth: number of blocks.
    heads: of their attention.
    rngs: as nnx asks for.

  Raises:
    ValueError: the backbone has no patches.

  Reference: Wei, Gupta, Morgado, ECCV 2024, arXiv:2407.15837, section 3 (depth 3, width 512).
  """

  def __init__(self, on: nnx.Module, *, width: int = 512, depth: int = 3, heads: int = 16, rngs: nnx.Rngs):
    self.grid, _ = patches_of(on, 'a CrossDecoder')
    self.dim, self.temperature = on.dim, temperature_of(on)
    options = dict(kernel_init=kernel_init(0.), rngs=rngs)
    self.embed = nnx.Linear(on.dim, width, **options)
    self.blocks = stacked(lambda rngs: CrossBlock(width, heads=heads, context=width, rngs=rngs), depth, rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, rngs=rngs)
    self.proj = nnx.Linear(width, self.dim, **options)

  def __call__(self, x: Array, visible: Array, hidden: Array, *, keys: Keys | None = None) -> Array:
    """Tokens [b m d] at positions visible [b m], and the positions hidden [b k] asked for -> [b k d]."""
    x = self.embed(x)
    table = jnp.asarray(positions.sincos(self.grid, x.shape[-1], self.temperature))
    query = jnp.mean(x, 1, keepdims=True) + table[hidden]
    y, _ = scan(self.blocks, query, context=x + table[visible])
    return self.proj(self.norm(y))
