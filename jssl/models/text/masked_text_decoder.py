"""A bidirectional transformer that predicts masked tokens of a text about an image."""

import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import width_of
from jssl.models.layers.blocks import Block, scan, stacked
from jssl.models.layers.normalization import LayerNorm
from jssl.ops.look_up import look_up
from jssl.types import Array, Keys


class MaskedTextDecoder(nnx.Module):
  """Token embeddings + positions + the image feature, followed by transformer blocks and logits over the vocabulary.

  Args:
    on: width of the image feature, or the module that computes it.
    vocabulary: number of tokens v.
    length: n, length of the text.
    width: width of the transformer.
    depth: number of blocks.
    heads: number of attention heads.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Zhou, Lian, Wang, Yu, ICLR 2023, arXiv:2301.13155, section 3.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    vocabulary: int,
    length: int,
    width: int,
    depth: int,
    heads: int,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    normal = lambda *shape: nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), shape))
    self.tokens, self.mask_token, self.positions = normal(vocabulary, width), normal(width), normal(length, width)
    self.image = nnx.Linear(width_of(on), width, dtype=jnp.dtype(dtype), rngs=rngs)
    self.blocks = stacked(lambda rngs: Block(width, heads=heads, std=0.0, dtype=dtype, rngs=rngs), depth, rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, dtype=jnp.dtype(dtype), rngs=rngs)
    self.words = nnx.Linear(width, vocabulary, dtype=jnp.dtype(dtype), rngs=rngs)
    self.dim, self.remat, self.dtype = vocabulary, remat, dtype

  def __call__(self, text: Array, mask: Array, feature: Array, *, keys: Keys | None = None) -> Array:
    """text [b n] int32, mask [b n] True where masked, feature [b d] -> logits [b n v]."""
    x = jnp.where(mask[..., None], self.mask_token[...], look_up(self.tokens[...], text))
    x = (x + self.positions[...]).astype(self.dtype) + self.image(feature)[:, None]
    return self.words(self.norm(scan(self.blocks, x, remat=self.remat)[0]))
