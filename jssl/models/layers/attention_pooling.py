"""Pooling of tokens by several heads, each of which gives a weighted mean of them."""

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.ops.normalize import l2_normalize
from jssl.types import Array


class LowRankPool(nnx.Module):
  """Heads whose bilinear score of a token and a learned context has rank one (LAMA).

  f_t = tanh( (P'c) * (Q'h_t) ) / |tanh( (P'c) * (Q'h_t) )|,   s_k = sum_t softmax_t(f_tk) h_t

  P and Q are [d m] and c is [d]: 2 d m + d parameters, where m bilinear maps would have m d^2.

  Args:
    on: d, width of the tokens.
    heads: m.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Mehta, Rangwala, Ramakrishnan 2020, arXiv:1912.00835, Eq. 3.13, not checked against the paper: tanh of the product is as in the
  unofficial code of J. Giorgi, compact-multi-head-self-attention-pytorch, which lacks the normalisation; its axis is from memory.
  """

  def __init__(self, on: int, *, heads: int, dtype: str = 'float32', rngs: nnx.Rngs):
    draw = lambda *shape: nnx.Param(nnx.initializers.xavier_normal()(rngs.params(), shape))
    self.p, self.q, self.context = draw(on, heads), draw(on, heads), draw(on, 1)
    self.dim, self.dtype = heads * on, jnp.dtype(dtype)

  def __call__(self, tokens: Array, mask: Array) -> Array:
    """[b n d], of which those in mask [b n] count -> [b m d], flattened."""
    p, q, context = (x[...].astype(self.dtype) for x in (self.p, self.q, self.context))
    return weighted(l2_normalize(jnp.tanh((p.T @ context)[:, 0] * (tokens.astype(self.dtype) @ q))), tokens, mask)


class StructuredPool(nnx.Module):
  """Heads with scores of a perceptron: structured self-attention.

  s_k = sum_t softmax_t( w_k' tanh(W h_t) ) h_t

  Args:
    on: d, width of the tokens.
    heads: m.
    hidden: width of the perceptron; None for d.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Lin et al., ICLR 2017, arXiv:1703.03130, Eq. 6, without the penalty of Eq. 8.
  """

  def __init__(self, on: int, *, heads: int, hidden: int | None = None, dtype: str = 'float32', rngs: nnx.Rngs):
    linear = lambda a, b: nnx.Linear(a, b, use_bias=False, dtype=jnp.dtype(dtype), rngs=rngs)
    self.enter, self.leave, self.dim = linear(on, hidden or on), linear(hidden or on, heads), heads * on

  def __call__(self, tokens: Array, mask: Array) -> Array:
    """[b n d], of which those in mask [b n] count -> [b m d], flattened."""
    return weighted(self.leave(jnp.tanh(self.enter(tokens))), tokens, mask)


def weighted(scores: Array, tokens: Array, mask: Array) -> Array:
  """Means of the tokens [b n d] in mask [b n] by the softmax over tokens of scores [b n m]: [b m d], flattened; 0 where there are none."""
  weights = jax.nn.softmax(jnp.where(mask[..., None], scores.astype(jnp.float32), -1e9), 1) * mask[..., None]
  return jnp.einsum('bnm,bnd->bmd', weights.astype(tokens.dtype), tokens).reshape(len(tokens), -1)


POOLS = dict(low_rank=LowRankPool, structured=StructuredPool)
