"""Causal language models of the Llama family: RMS norms, rotary positions, gated feed-forward layers, grouped-query attention."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import FeedForward, scan, scan_cached, stacked
from jssl.models.layers.cache import Cache, empty, places_of, visible
from jssl.models.layers.dropout import dropout
from jssl.models.layers.normalization import RMSNorm
from jssl.models.layers.products import product
from jssl.models.layers.rotary import angles, stretch
from jssl.models.text.transformer import last, sequence_length
from jssl.ops.look_up import look_up
from jssl.types import Array, Features, Keys, fold


class LlamaBlock(nnx.Module):
  """x + attention(norm(x)), then x + mlp(norm(x)), with RMS norms and a gated hidden layer.

  Args:
    on: width of the tokens.
    heads, kv_heads, head: as in `Attention`.
    hidden: width of the hidden layer.
    qkv_bias, proj_bias, mlp_bias, qk_norm, dropout, epsilon: as in `Llama`.
    std: standard deviation of initial kernels, as in `layers.kernel_init`.
    dtype: compute type.

  Reference: Touvron et al. 2023, arXiv:2302.13971, section 2.2.
  """

  def __init__(
    self,
    on: int,
    *,
    heads: int,
    hidden: int,
    kv_heads: int | None = None,
    head: int | None = None,
    qkv_bias: bool = False,
    proj_bias: bool = False,
    mlp_bias: bool = False,
    qk_norm: bool = False,
    dropout: float = 0.0,
    epsilon: float = 1e-6,
    std: float = 0.02,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    norm = partial(RMSNorm, on, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    options = dict(dropout=dropout, std=std, dtype=dtype, rngs=rngs)
    self.norm1 = norm()
    self.attention = Attention(
      on,
      heads=heads,
      kv_heads=kv_heads,
      head=head,
      bias=qkv_bias,
      proj_bias=proj_bias,
      qk_norm='rms' if qk_norm else False,
      causal=True,
      epsilon=epsilon,
      **options,
    )
    self.norm2 = norm()
    self.mlp = FeedForward(on, width=hidden, activation='silu', gated=True, bias=mlp_bias, **options)
    self.dropout = dropout

  def __call__(self, x: Array, *, mask: Array | None = None, rotary: Array, keys: Keys | None = None, rate: None = None) -> Array:
    """[b n d] -> [b n d]; mask and rotary as in `Attention`; `rate` is None, since there is no stochastic depth."""
    key = (lambda i: None) if keys is None else partial(fold, keys)
    x = x + dropout(self.attention(self.norm1(x), mask=mask, rotary=rotary, keys=key(0)), key(1), self.dropout)
    return x + dropout(self.mlp(self.norm2(x), keys=key(2)), key(3), self.dropout)

  def decode(self, x: Array, cache: Cache, **given: Array | None) -> tuple[Array, Cache]:
    """Decodes further tokens [b t d] -> [b t d]. Also returns the updated cache; as in `Attention.decode`."""
    y, cache = self.attention.decode(self.norm1(x), cache, **given)
    x = x + y
    return x + self.mlp(self.norm2(x)), cache


class Llama(nnx.Module):
  """A causal language model of the Llama family, which includes Mistral and Qwen; pooled is the last token without padding.

  Args:
    on: (n,) of one example's ids, or its ShapeDtypeStruct; shorter sequences are accepted too.
    vocabulary: v, number of ids.
    width: d.
    depth: number of blocks.
    heads: number of attention heads.
    kv_heads: number of key-value heads, which divides `heads`; None for `heads`.
    head: width of a head, which must be even; None for d / `heads`.
    hidden: width of the blocks' hidden layers; None for 8 d / 3.
    length: maximal intended number of tokens; None for n.
    qkv_bias, proj_bias, mlp_bias: whether queries, keys and values, the output of the attention, and the feed-forward layer have biases.
    qk_norm: normalise queries and keys in each head, before the rotation.
    theta, scaling: for the rotary positions, as in `rotary.angles`.
    window: number of tokens that each token attends to, including itself; None for all previous ones.
    dropout: dropout rate after the embedding and in the blocks, including attention probabilities.
    pad: the id of padding; None if every id is a token, and `mask` marks padding.
    tied: logits are inner products with the table of embeddings; False for a separate table, None for no logits.
    epsilon: epsilon of the normalisations.
    std: standard deviation of initial kernels and tables.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Attributes: `dim` = d, and the arguments.

  Raises:
    ValueError: if `on` is not a sequence of ids or is longer than `length`, the numbers of heads are not divisors, the width of a head is odd,
      or scaling is unknown.

  Reference: Touvron et al. (Llama) 2023, arXiv:2302.13971, section 2.2; shared keys and values: Touvron et al. (Llama 2) 2023,
    arXiv:2307.09288, section 2.2; window: Jiang et al. (Mistral 7B) 2023, arXiv:2310.06825, section 2; biases: Yang et al. (Qwen2) 2024,
    arXiv:2407.10671, section 2.2.1; `qk_norm`: Yang et al. (Qwen3) 2025, arXiv:2505.09388, section 2.
  """

  def __init__(
    self,
    on,
    *,
    vocabulary: int,
    width: int,
    depth: int,
    heads: int,
    kv_heads: int | None = None,
    head: int | None = None,
    hidden: int | None = None,
    length: int | None = None,
    qkv_bias: bool = False,
    proj_bias: bool = False,
    mlp_bias: bool = False,
    qk_norm: bool = False,
    theta: float = 10_000.0,
    scaling: Mapping[str, Any] | None = None,
    window: int | None = None,
    dropout: float = 0.0,
    pad: int | None = 0,
    tied: bool | None = True,
    epsilon: float = 1e-6,
    std: float = 0.02,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    n = sequence_length(on)
    self.dim, self.vocabulary, self.hidden, self.length = width, vocabulary, hidden or int(8 * width / 3), length or n
    self.theta, self.scaling, self.window, self.tied = theta, tuple(scaling.items()) if scaling else None, window, tied
    self.dropout, self.pad, self.epsilon, self.remat, self.dtype = dropout, pad, epsilon, remat, dtype
    if n > self.length:
      raise ValueError(f'a Llama of {length} tokens was given texts of {n}: choose texts of at most {length} tokens')
    if scaling:
      stretch(jnp.ones(()), scaling)
    normal = nnx.initializers.normal(std)
    self.table = nnx.Param(normal(rngs.params(), (vocabulary, width)))
    self.output = nnx.Param(normal(rngs.params(), (vocabulary, width))) if tied is False else None
    options = dict(
      heads=heads,
      kv_heads=kv_heads,
      head=head,
      hidden=self.hidden,
      qkv_bias=qkv_bias,
      proj_bias=proj_bias,
      mlp_bias=mlp_bias,
      qk_norm=qk_norm,
      dropout=dropout,
      epsilon=epsilon,
      std=std,
      dtype=dtype,
    )
    self.blocks = stacked(lambda rngs: LlamaBlock(width, rngs=rngs, **options), depth, rngs=rngs)
    if self.blocks.attention.head % 2:
      raise ValueError(f'rotary positions turn pairs of features, and a head is {self.blocks.attention.head} wide: choose an even width')
    self.norm = RMSNorm(width, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)

  def __call__(self, ids: Array, *, mask: Array | None = None, keys: Keys | None = None) -> Features:
    """Encodes sequences.

    Args:
      ids: [b n] int32.
      mask: [b n] bool, True = token; None for ids other than `pad`.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d] and pooled [b d], normalised; layers [l+1 b n d], the states from the embedding to the last block.
    """
    real = self.attended(ids) if mask is None else mask
    places = jnp.arange(ids.shape[1])
    # If the window covers all tokens, the causal blocks need no mask [b n n].
    seen = real if self.window is None or self.window >= len(places) else real[:, None] & visible(places[None], len(places), self.window)
    x = look_up(self.table[...], ids).astype(self.dtype)
    x = dropout(x, None if keys is None else fold(keys, 0), self.dropout)
    rotary = self.rotary(places)
    y, layers = scan(self.blocks, x, mask=seen, keys=None if keys is None else fold(keys, 1), remat=self.remat, rotary=rotary)
    y = self.norm(y)
    return Features(y, last(y, real), jnp.concatenate([x[None], layers]))

  def start(self, batch: int, length: int) -> Cache:
    """A cache for `decode`, of `length` tokens per example."""
    return empty(self.blocks, batch, length, self.dtype)

  def decode(self, ids: Array, cache: Cache, place: int | Array, *, mask: Array | None = None) -> tuple[Features, Cache]:
    """Encodes further tokens of sequences; each attends to the previous ones; as in `CausalLm.decode`."""
    places = places_of(place, ids.shape[1])
    x = look_up(self.table[...], ids).astype(self.dtype)
    given = dict(places=places, mask=visible(places, cache.k.shape[2], self.window), rotary=self.rotary(places))
    y, layers, cache = scan_cached(self.blocks, x, cache, **given)
    y = self.norm(y)
    return Features(y, last(y, self.attended(ids) if mask is None else mask), jnp.concatenate([x[None], layers])), cache

  def rotary(self, places: Array) -> Array:
    """Rotary angles [... d/2] of tokens at positions [...]."""
    return angles(places, self.blocks.attention.head, self.theta, dict(self.scaling) if self.scaling else None)

  def attended(self, ids: Array) -> Array:
    """[b n] ids -> [b n] bool, True where not padding."""
    return jnp.ones(ids.shape, bool) if self.pad is None else ids != self.pad

  def logits(self, tokens: Array) -> Array:
    """[... n d] tokens to [... n v] float32: those at position i predict the token at i + 1.

    Raises:
      ValueError: if there is no output table.
    """
    if self.tied is None:
      raise ValueError('this Llama has no table of logits, since its folder holds none: give tied, or a folder that has lm_head.weight')
    table = self.table if self.output is None else self.output
    return product(tokens, table[...].T)
