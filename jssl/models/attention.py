"""The one place where attention is computed."""

import jax
from flax import nnx

from jssl.types import Array


def attention(query: Array, key: Array, value: Array, mask: Array | None = None, causal: bool = False) -> Array:
  """softmax(q k^T / sqrt(d)) v over [b n heads d]; mask [b n m] is true where a query may look."""
  if mask is not None:
    mask = mask[:, None]
  return jax.nn.dot_product_attention(query, key, value, mask=mask, is_causal=causal)


class SelfAttention(nnx.Module):
  """Multi-head attention of a sequence to itself."""

  def __init__(self, dim: int, heads: int, *, rngs: nnx.Rngs):
    init = jax.nn.initializers.xavier_uniform()
    self.qkv = nnx.Linear(dim, 3 * dim, kernel_init=init, rngs=rngs)
    self.proj = nnx.Linear(dim, dim, kernel_init=init, rngs=rngs)
    self.heads = heads

  def __call__(self, x: Array, mask: Array | None = None, causal: bool = False) -> Array:
    b, n, d = x.shape
    q, k, v = jax.numpy.moveaxis(self.qkv(x).reshape(b, n, 3, self.heads, -1), 2, 0)
    return self.proj(attention(q, k, v, mask, causal).reshape(b, n, d))


class CrossAttention(nnx.Module):
  """Multi-head attention of one sequence to another."""

  def __init__(self, dim: int, context: int, heads: int, *, rngs: nnx.Rngs):
    init = jax.nn.initializers.xavier_uniform()
    self.query = nnx.Linear(dim, dim, kernel_init=init, rngs=rngs)
    self.key = nnx.Linear(context, dim, kernel_init=init, rngs=rngs)
    self.value = nnx.Linear(context, dim, kernel_init=init, rngs=rngs)
    self.proj = nnx.Linear(dim, dim, kernel_init=init, rngs=rngs)
    self.heads = heads

  def __call__(self, x: Array, context: Array, mask: Array | None = None) -> Array:
    split = lambda y: y.reshape(*y.shape[:2], self.heads, -1)
    y = attention(split(self.query(x)), split(self.key(context)), split(self.value(context)), mask)
    return self.proj(y.reshape(x.shape))
