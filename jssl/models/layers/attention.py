"""Attention: one function through which all of it goes, and the module around it."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.devices.sharding import pinned, spread_over
from jssl.models.layers.dropout import dropout
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.types import Array, Keys


def attention(
  q: Array,
  k: Array,
  v: Array,
  *,
  mask: Array | None = None,
  bias: Array | None = None,
  causal: bool = False,
  keys: Keys | None = None,
  rate: float = 0.0,
) -> Array:
  """softmax(q k^T / sqrt(d) + bias) v, softmax in float32. A faster kernel is put in here, and nowhere else.

  Args:
    q: [b n h d].
    k: [b m h d].
    v: [b m h d].
    mask: bool, True = may be attended: [b m] for keys, [b n m], or [b h n m].
    bias: broadcast to [b h n m].
    causal: token i attends to tokens up to i.
    keys: [b], to drop probabilities by; None for evaluation.
    rate: of that dropout.

  Returns:
    [b n h d].

  Reference: Vaswani et al., NeurIPS 2017, arXiv:1706.03762, Eq. 1; dropout of its probabilities: Devlin et al., NAACL
    2019, arXiv:1810.04805, official code.
  """
  if mask is not None:
    mask = mask.reshape(mask.shape[0], *{2: (1, 1), 3: (1,), 4: ()}[mask.ndim], *mask.shape[1:])
  if keys is None or rate == 0:
    return jax.nn.dot_product_attention(q, k, v, bias, mask, is_causal=causal)
  logits = jnp.einsum('bnhd,bmhd->bhnm', q, k, preferred_element_type=jnp.float32) / math.sqrt(q.shape[-1])
  logits = logits if bias is None else logits + bias
  for allowed in (mask, jnp.tri(*logits.shape[-2:], dtype=bool) if causal else None):
    logits = logits if allowed is None else jnp.where(allowed, logits, -1e30)
  return jnp.einsum('bhnm,bmhd->bnhd', dropout(jax.nn.softmax(logits).astype(v.dtype), keys, rate), v)


def apart(linear: nnx.Linear, x: Array, parts: int) -> list[Array]:
  """The equal parts of what a linear map gives, [b n e] -> `parts` of [b n d].

  Where kernels are spread over an axis `tensor`, it is the kernel that is taken apart, so that each device has the columns of its own
  heads in all parts: to take apart what it gives would send activations.
  """
  if not spread_over('tensor'):
    return jnp.split(linear(x), parts, -1)
  columns = lambda w: pinned(w.reshape(*w.shape[:-1], parts, -1), *(None,) * w.ndim, 'tensor')
  x, kernel, bias = linear.promote_dtype((x, columns(linear.kernel[...]), columns(linear.bias[...])), dtype=linear.dtype)
  return list(jnp.moveaxis(jnp.einsum('bni,ipo->bnpo', x, kernel) + bias, -2, 0))


class Attention(nnx.Module):
  """Multi-head attention, to itself or to a context.

  Args:
    on: width of the tokens.
    heads: their number; divides the width.
    context: width of the tokens attended to where they are others' (cross-attention); None for its own.
    qk_norm: layer-normalise queries and keys in each head (Dehghani et al., arXiv:2302.05442, section 2.1).
    causal: attend backwards only.
    dropout: rate at which attention probabilities are dropped.
    std: of the kernels, as in `layers.kernel_init`.
    dtype: to compute in.

  Raises:
    ValueError: the heads do not divide the width.

  Reference: Vaswani et al., NeurIPS 2017, arXiv:1706.03762, section 3.2.2.
  """

  def __init__(
    self,
    on: int,
    *,
    heads: int,
    context: int | None = None,
    qk_norm: bool = False,
    causal: bool = False,
    dropout: float = 0.0,
    std: float = 0.02,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    if on % heads:
      raise ValueError(f'{heads} heads do not divide a width of {on}')
    options = dict(kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    if context is None:
      self.qkv = nnx.Linear(on, 3 * on, **options)
    else:
      self.q = nnx.Linear(on, on, **options)
      self.kv = nnx.Linear(context, 2 * on, **options)
    if qk_norm:
      norm = dict(epsilon=1e-6, use_bias=False, dtype=jnp.dtype(dtype), rngs=rngs)
      self.norm_q = LayerNorm(on // heads, **norm)
      self.norm_k = LayerNorm(on // heads, **norm)
    self.proj = nnx.Linear(on, on, **options)
    self.heads, self.cross, self.qk_norm, self.causal = heads, context is not None, qk_norm, causal
    self.dropout = dropout

  def __call__(
    self, x: Array, context: Array | None = None, *, mask: Array | None = None, bias: Array | None = None, keys: Keys | None = None
  ) -> Array:
    """[b n d] (and a context [b m e]) -> [b n d]; mask, bias and keys as in `attention`."""
    if self.cross:
      q, (k, v) = self.q(x), apart(self.kv, context, 2)
    else:
      q, k, v = apart(self.qkv, x, 3)
    q, k, v = (t.reshape(*t.shape[:-1], self.heads, -1) for t in (q, k, v))
    if self.qk_norm:
      q, k = self.norm_q(q), self.norm_k(k)
    y = attention(q, k, v, mask=mask, bias=bias, causal=self.causal, keys=keys, rate=self.dropout)
    return self.proj(y.reshape(*y.shape[:-2], -1))
