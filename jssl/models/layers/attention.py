"""Attention: one function through which all of it goes, and the module around it."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.devices.sharding import pinned, spread_over
from jssl.models.layers.cache import Cache, written
from jssl.models.layers.dropout import dropout
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm, RMSNorm
from jssl.models.layers.products import product
from jssl.models.layers.rotary import turned
from jssl.types import Array, Keys


def attention(
  q: Array,
  k: Array,
  v: Array,
  *,
  mask: Array | None = None,
  bias: Array | None = None,
  causal: bool = False,
  scale: float | None = None,
  keys: Keys | None = None,
  rate: float = 0.0,
) -> Array:
  """softmax(scale q k^T + bias) v, softmax in float32. A faster kernel is put in here, and nowhere else.

  Args:
    q: [b n h d].
    k: [b m g d], g dividing h: each head of keys and values serves h / g heads of queries.
    v: [b m g d].
    mask: bool, True = may be attended: [b m] for keys, [b n m], or [b h n m].
    bias: broadcast to [b h n m].
    causal: token i attends to tokens up to i.
    scale: None for 1 / sqrt(d).
    keys: [b], to drop probabilities by; None for evaluation.
    rate: of that dropout.

  Returns:
    [b n h d].

  Reference: Vaswani et al., NeurIPS 2017, arXiv:1706.03762, Eq. 1; dropout of its probabilities: Devlin et al., NAACL
    2019, arXiv:1810.04805, official code; shared keys and values: Ainslie et al., EMNLP 2023, arXiv:2305.13245.
  """
  if mask is not None:
    mask = mask.reshape(mask.shape[0], *{2: (1, 1), 3: (1,), 4: ()}[mask.ndim], *mask.shape[1:])
  if keys is None or rate == 0:
    return jax.nn.dot_product_attention(q, k, v, bias, mask, is_causal=causal, scale=scale)
  k, v = (jnp.repeat(x, q.shape[2] // x.shape[2], 2) for x in (k, v))
  logits = product(q, k, partial(jnp.einsum, 'bnhd,bmhd->bhnm')) * (scale or 1 / math.sqrt(q.shape[-1]))
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
  given = (linear.kernel,) if linear.bias is None else (linear.kernel, linear.bias)
  x, kernel, *bias = linear.promote_dtype((x, *(columns(w[...]) for w in given)), dtype=linear.dtype)
  return list(jnp.moveaxis(sum(bias, jnp.einsum('bni,ipo->bnpo', x, kernel)), -2, 0))


class Attention(nnx.Module):
  """Multi-head attention, to itself or to a context.

  Args:
    on: width of the tokens.
    heads: their number; divides the width, unless `head` is given.
    context: width of the tokens attended to where they are others' (cross-attention); None for its own.
    kv_heads: number of heads of keys and values, which divides `heads`; None for as many.
    head: width of a head; None for the width of the tokens over `heads`.
    bias: of queries, keys and values.
    key_bias: False leaves out that of keys, where they are as many as queries and of the same tokens.
    proj_bias: of the output; None for as `bias`.
    qk_norm: normalise queries and keys in each head, by 'layer' (Dehghani et al., arXiv:2302.05442, section 2.1) or 'rms' norm; True is
      'layer', False none.
    causal: attend backwards only.
    scale: as in `attention`.
    epsilon: of the normalisation of queries and keys.
    dropout: rate at which attention probabilities are dropped.
    std: of the kernels, as in `layers.kernel_init`.
    dtype: to compute in.

  Raises:
    ValueError: the heads do not divide the width, or those of keys and values not the heads; no bias of keys where they are made apart.

  Reference: Vaswani et al., NeurIPS 2017, arXiv:1706.03762, section 3.2.2.
  """

  def __init__(
    self,
    on: int,
    *,
    heads: int,
    context: int | None = None,
    kv_heads: int | None = None,
    head: int | None = None,
    bias: bool = True,
    key_bias: bool = True,
    proj_bias: bool | None = None,
    qk_norm: bool | str = False,
    causal: bool = False,
    scale: float | None = None,
    epsilon: float = 1e-6,
    dropout: float = 0.0,
    std: float = 0.02,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    if head is None and on % heads:
      raise ValueError(f'{heads} heads do not divide a width of {on}')
    if heads % (kv_heads or heads):
      raise ValueError(f'{kv_heads} heads of keys and values do not divide {heads} heads')
    head, kv_heads = head or on // heads, kv_heads or heads
    options = dict(kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.fused = context is None and kv_heads == heads
    if not (key_bias or self.fused):
      raise ValueError('keys of a context, or fewer than queries, have a bias where values have one: leave key_bias out')
    if self.fused:
      self.qkv = nnx.Linear(on, 3 * heads * head, use_bias=bias and key_bias, **options)
      self.qv_bias = None if key_bias or not bias else nnx.Param(jnp.zeros(2 * heads * head))
    else:
      self.q = nnx.Linear(on, heads * head, use_bias=bias, **options)
      self.kv = nnx.Linear(context or on, 2 * kv_heads * head, use_bias=bias, **options)
    if qk_norm:
      kind = partial(LayerNorm, use_bias=False) if qk_norm in (True, 'layer') else RMSNorm
      self.norm_q, self.norm_k = (kind(head, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs) for _ in range(2))
    self.proj = nnx.Linear(heads * head, on, use_bias=bias if proj_bias is None else proj_bias, **options)
    self.heads, self.kv_heads, self.head, self.cross = heads, kv_heads, head, context is not None
    self.qk_norm, self.causal, self.scale, self.dropout = qk_norm, causal, scale, dropout

  def __call__(
    self,
    x: Array,
    context: Array | None = None,
    *,
    mask: Array | None = None,
    bias: Array | None = None,
    rotary: Array | None = None,
    keys: Keys | None = None,
  ) -> Array:
    """[b n d] (and a context [b m e]) -> [b n d].

    Args:
      x: what queries are made of.
      context: what is attended to, in cross-attention.
      mask, bias, keys: as in `attention`.
      rotary: angles of rotary positions of queries and keys, as `rotary.turned` takes them; None for none.
    """
    q, k, v = self.heads_of(x, context if self.cross else x, rotary)
    y = attention(q, k, v, mask=mask, bias=bias, causal=self.causal, scale=self.scale, keys=keys, rate=self.dropout)
    return self.proj(y.reshape(*y.shape[:-2], -1))

  def decode(
    self, x: Array, cache: Cache, *, layer: Array, places: Array, mask: Array, bias: Array | None = None, rotary: Array | None = None
  ) -> tuple[Array, Cache]:
    """As a call on all tokens so far, for the last ones alone, which attend to what the cache holds and to themselves.

    Args:
      x: [b t d], the tokens that are added.
      cache: keys and values [l b m g d] of the tokens before.
      layer: [], which of the layers of the cache is this one's.
      places: [b t] or [1 t], consecutive and below m, where they stand.
      mask: [b t m] or [1 t m], the places of the cache that they attend to, as `cache.visible` gives them.
      bias, rotary: as in a call, of the added tokens: [.. h t m] and [.. t e].

    Returns:
      [b t d], and the cache with these tokens.
    """
    q, k, v = self.heads_of(x, x, rotary)
    cache = written(cache, k, v, layer=layer, places=places)
    y = attention(q, cache.k[layer], cache.v[layer], mask=mask, bias=bias, scale=self.scale)
    return self.proj(y.reshape(*y.shape[:-2], -1)), cache

  def heads_of(self, x: Array, context: Array, rotary: Array | None) -> tuple[Array, Array, Array]:
    """Queries [b n h d] of x, and keys and values [b m g d] of the context, normalised and turned."""
    if self.fused:
      q, k, v = apart(self.qkv, x, 3)
      if self.qv_bias is not None:
        q, v = (t + b for t, b in zip((q, v), jnp.split(self.qv_bias[...].astype(q.dtype), 2), strict=True))
    else:
      q, (k, v) = self.q(x), apart(self.kv, context, 2)
    q, k, v = (t.reshape(*t.shape[:-1], -1, self.head) for t in (q, k, v))
    if self.qk_norm:
      q, k = self.norm_q(q), self.norm_k(k)
    if rotary is not None:
      q, k = turned(q, rotary), turned(k, rotary)
    return q, k, v
