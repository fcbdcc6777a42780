"""Transformers over tokens: a causal language model, a decoder that attends to an encoder, and heads that give logits.

Ids are int32, [b n], padded at the end.
"""

import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import width_of
from jssl.models.layers.activations import activation as named
from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import Block, FeedForward, scan, scan_cached, stacked
from jssl.models.layers.cache import Cache, empty, places_of, visible
from jssl.models.layers.dropout import dropout
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.products import product
from jssl.models.layers.shapes import shape_of
from jssl.models.text.bert import PostNormBlock
from jssl.ops.look_up import look_up
from jssl.types import Array, Features, Keys, fold


class CausalLm(nnx.Module):
  """Tokens through a pre-norm transformer in which each attends to those before it; pooled is the last one that is no padding.

  Args:
    on: (n,) of one example's ids, or its ShapeDtypeStruct; shorter sequences are taken too.
    vocabulary: v, number of ids.
    width: d.
    depth: number of blocks.
    heads: of the attention.
    ratio: width of a block's hidden layer over d.
    hidden: width of a block's hidden layer; None for what `ratio` says.
    dropout: rate, of the embedding and in the blocks, of attention probabilities too.
    pad: the id of padding; None where every id is a token, as in GPT-2, and `mask` tells padding from tokens.
    tied: logits are inner products with the table of embeddings; otherwise with a table of their own.
    epsilon: of the normalisations.
    std: of kernels and tables.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim` = d, `vocabulary` = v.

  Reference: Radford, Wu, Child, Luan, Amodei, Sutskever, Language models are unsupervised multitask learners, 2019,
    section 2.3 (pre-norm, a last normalisation, residual kernels over the root of the number of residual layers), and
    the official code (epsilon 1e-5, GELU by tanh); Press, Wolf, EACL 2017, arXiv:1608.05859 (tied tables).
  """

  def __init__(
    self,
    on,
    *,
    vocabulary: int,
    width: int,
    depth: int,
    heads: int,
    ratio: float = 4.0,
    hidden: int | None = None,
    dropout: float = 0.0,
    pad: int | None = 0,
    tied: bool = True,
    epsilon: float = 1e-5,
    std: float = 0.02,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.length, self.dim, self.vocabulary = sequence_length(on), width, vocabulary
    self.hidden, self.dropout, self.pad, self.remat, self.dtype = hidden or int(width * ratio), dropout, pad, remat, dtype
    self.epsilon = epsilon
    normal = nnx.initializers.normal(std)
    self.table = nnx.Param(normal(rngs.params(), (vocabulary, width)))
    self.positions = nnx.Param(normal(rngs.params(), (self.length, width)))
    self.output = None if tied else nnx.Param(normal(rngs.params(), (vocabulary, width)))
    options = dict(
      heads=heads,
      hidden=self.hidden,
      dropout=dropout,
      attention_dropout=dropout,
      causal=True,
      activation='gelu_tanh',
      epsilon=epsilon,
      std=std,
      dtype=dtype,
    )
    self.blocks = stacked(lambda rngs: Block(width, rngs=rngs, **options), depth, rescale='depth', rngs=rngs)
    self.norm = LayerNorm(width, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)

  def __call__(self, ids: Array, *, mask: Array | None = None, keys: Keys | None = None) -> Features:
    """Encode sequences.

    Args:
      ids: [b n] int32.
      mask: [b n] bool, True = token; None for ids other than `pad`.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d] and pooled [b d], normalised; layers [l+1 b n d], the states from the embedding to the last block.
    """
    if mask is None:
      mask = self.attended(ids)
    x = (look_up(self.table[...], ids) + self.positions[...][: ids.shape[1]]).astype(self.dtype)
    x = dropout(x, None if keys is None else fold(keys, 0), self.dropout)
    y, layers = scan(self.blocks, x, mask=mask, keys=None if keys is None else fold(keys, 1), remat=self.remat)
    y = self.norm(y)
    return Features(y, last(y, mask), jnp.concatenate([x[None], layers]))

  def start(self, batch: int, length: int) -> Cache:
    """A cache for `decode`, of `length` tokens an example.

    Raises:
      ValueError: there are fewer positions.
    """
    if length > self.length:
      raise ValueError(f'a cache of {length} tokens was asked for, and there are {self.length} positions: choose at most {self.length}')
    return empty(self.blocks, batch, length, self.dtype)

  def decode(self, ids: Array, cache: Cache, place: int | Array, *, mask: Array | None = None) -> tuple[Features, Cache]:
    """Encode further tokens of sequences, each of which attends to those before it.

    Texts of unequal lengths are begun with their padding, at place 0; the tokens that follow are written over it, each at a place of
    its own, which [b] gives.

    Args:
      ids: [b t] int32, padded at the end.
      cache: from `start`, or from the call before.
      place: [] or [b], where the first of them stands; place + t is at most the length of the cache.
      mask: [b t] bool, True = token; None for ids other than `pad`. It says at which token `pooled` is.

    Returns:
      Features as those of a call on the whole sequences, at these tokens; and the cache with them.
    """
    places = places_of(place, ids.shape[1])
    x = (look_up(self.table[...], ids) + look_up(self.positions[...], places)).astype(self.dtype)
    y, layers, cache = scan_cached(self.blocks, x, cache, places=places, mask=visible(places, cache.k.shape[2]))
    y = self.norm(y)
    return Features(y, last(y, self.attended(ids) if mask is None else mask), jnp.concatenate([x[None], layers])), cache

  def attended(self, ids: Array) -> Array:
    """[b n] ids -> [b n] bool, which are no padding."""
    return jnp.ones(ids.shape, bool) if self.pad is None else ids != self.pad

  def logits(self, tokens: Array) -> Array:
    """[... n d] tokens to [... n v] float32: those at place i tell the token at i + 1."""
    table = self.table if self.output is None else self.output
    return product(tokens, table[...].T)


class CrossBlock(nnx.Module):
  """Self-attention, attention to a context, feed-forward; each normalises its input and adds to it.

  Args:
    on: width of the tokens.
    context: width of what is attended to.
    heads: of both attentions.
    ratio: width of the hidden layer over that of the tokens.
    dropout: rate, after each of the three and in the hidden layer.
    causal: self-attention looks backwards only.
    norm_context: normalise the context as well, anew in each block.
    std: of the kernels, as in `layers.kernel_init`.
    dtype: to compute in.

  Reference: Vaswani et al., NeurIPS 2017, arXiv:1706.03762, section 3.1, with the normalisation first.
  """

  def __init__(
    self,
    on: int,
    *,
    context: int,
    heads: int,
    ratio: float = 4.0,
    dropout: float = 0.0,
    causal: bool = True,
    norm_context: bool = False,
    std: float = 0.02,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    norm = dict(epsilon=1e-6, dtype=jnp.dtype(dtype), rngs=rngs)
    options = dict(heads=heads, std=std, dtype=dtype, rngs=rngs)
    self.norm1, self.norm2, self.norm3 = (LayerNorm(on, **norm) for _ in range(3))
    self.norm_context = LayerNorm(context, **norm) if norm_context else None
    self.attention = Attention(on, causal=causal, **options)
    self.cross = Attention(on, context=context, **options)
    self.mlp = FeedForward(on, width=int(on * ratio), dropout=dropout, std=std, dtype=dtype, rngs=rngs)
    self.dropout = dropout

  def __call__(
    self, x: Array, context: Array, *, mask: Array | None = None, context_mask: Array | None = None, keys: Keys | None = None, rate: None = None
  ) -> Array:
    """[b n d] and a context [b m e] -> [b n d]; the masks [b n] and [b m] are True where there are tokens."""
    drop = lambda y, i: dropout(y, None if keys is None else fold(keys, i), self.dropout)
    x = x + drop(self.attention(self.norm1(x), mask=mask), 0)
    context = context if self.norm_context is None else self.norm_context(context)
    x = x + drop(self.cross(self.norm2(x), context, mask=context_mask), 1)
    return x + drop(self.mlp(self.norm3(x), keys=None if keys is None else fold(keys, 2)), 3)


class Decoder(nnx.Module):
  """Embedded tokens through blocks that attend to them and to what an encoder made.

  It has no table of its own: embed ids by the encoder's `embed`, and read logits off by an `LmHead`.

  Args:
    on: width of the context, or the module that makes it.
    width: d of the embedded tokens; None for that of the context.
    depth: number of blocks.
    heads: of their attentions.
    ratio, dropout, causal: as in `CrossBlock`.
    std: of the kernels.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Reference: Vaswani et al., NeurIPS 2017, arXiv:1706.03762, section 3.1.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    width: int | None = None,
    depth: int,
    heads: int,
    ratio: float = 4.0,
    dropout: float = 0.0,
    causal: bool = True,
    std: float = 0.02,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.dim, self.remat, self.dtype = width or width_of(on), remat, dtype
    options = dict(context=width_of(on), heads=heads, ratio=ratio, dropout=dropout, causal=causal, std=std, dtype=dtype)
    self.blocks = stacked(lambda rngs: CrossBlock(self.dim, rngs=rngs, **options), depth, rngs=rngs)
    self.norm = LayerNorm(self.dim, epsilon=1e-6, dtype=jnp.dtype(dtype), rngs=rngs)

  def __call__(
    self, x: Array, context: Array, *, mask: Array | None = None, context_mask: Array | None = None, keys: Keys | None = None
  ) -> Array:
    """[b n d] and a context [b m e] -> [b n d]; the masks [b n] and [b m] are True where there are tokens."""
    x, _ = scan(self.blocks, x.astype(self.dtype), mask=mask, keys=keys, remat=self.remat, context=context, context_mask=context_mask)
    return self.norm(x)


class TokenDecoder(nnx.Module):
  """Embedded tokens through blocks, each attending to all: the light decoder of a masked autoencoder of text.

  Args:
    on: width of the tokens, or the module that makes them.
    depth: number of blocks.
    heads: of the attention.
    ratio, dropout: as in `Block`.
    post_norm: the blocks are those of a `Bert`, with whose layers it may begin, and nothing is normalised after them; otherwise they
      are pre-norm.
    std: of the kernels.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Reference: Meng et al., ICLR 2024, arXiv:2302.02060, section 4; post-norm: Wang et al. (SimLM), ACL 2023, arXiv:2207.02578,
    section 3.1.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    depth: int,
    heads: int,
    ratio: float = 4.0,
    dropout: float = 0.0,
    post_norm: bool = False,
    std: float = 0.02,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.dim, self.remat, self.dtype = width_of(on), remat, dtype
    options = dict(heads=heads, dropout=dropout, std=std, dtype=dtype)
    options |= dict(hidden=int(ratio * self.dim)) if post_norm else dict(ratio=ratio)
    make = PostNormBlock if post_norm else Block
    self.blocks = stacked(lambda rngs: make(self.dim, rngs=rngs, **options), depth, rngs=rngs)
    self.norm = None if post_norm else LayerNorm(self.dim, epsilon=1e-6, dtype=jnp.dtype(dtype), rngs=rngs)

  def __call__(self, x: Array, *, mask: Array | None = None, keys: Keys | None = None) -> Array:
    """[b n d], and a mask [b n] that is True where there are tokens -> [b n d]."""
    x, _ = scan(self.blocks, x.astype(self.dtype), mask=mask, keys=keys, remat=self.remat)
    return x if self.norm is None else self.norm(x)


class LmHead(nnx.Module):
  """From tokens to logits over a vocabulary: optionally linear, activation, norm; then inner products with a table.

  Args:
    on: width of the tokens, or the module that feeds it.
    vocabulary: v; None for that of the module that feeds it.
    transform: with the linear map, activation and normalisation (BERT's head of masked tokens).
    transform_bias: of the linear map and of the normalisation.
    width: of what the linear map gives, and of the table; None for that of the tokens.
    activation: one of `activations.ACTIVATIONS`.
    epsilon: of the normalisation.
    tied: the table is given with every call, the encoder's `table`; otherwise the head has one of its own.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Raises:
    ValueError: no vocabulary is known, or an unknown activation.

  Reference: Devlin, Chang, Lee, Toutanova, NAACL 2019, arXiv:1810.04805, section 3.1, and the official code for the
    transform and the bias; Press, Wolf, EACL 2017, arXiv:1608.05859 (tied tables).
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    vocabulary: int | None = None,
    transform: bool = True,
    transform_bias: bool = True,
    width: int | None = None,
    activation: str = 'gelu',
    epsilon: float = 1e-12,
    tied: bool = True,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    d, self.dim, self.dtype = width_of(on), vocabulary or getattr(on, 'vocabulary', None), dtype
    if self.dim is None:
      raise ValueError(f'an LmHead on {type(on).__name__} needs to know how many ids there are: give vocabulary')
    options = dict(dtype=jnp.dtype(dtype), rngs=rngs)
    width, self.activation = width or d, named(activation)
    self.linear = nnx.Linear(d, width, use_bias=transform_bias, kernel_init=kernel_init(0.02), **options) if transform else None
    self.norm = LayerNorm(width, epsilon=epsilon, use_bias=transform_bias, **options) if transform else None
    self.bias = nnx.Param(jnp.zeros(self.dim))
    self.table = None if tied else nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (self.dim, width)))

  def __call__(self, tokens: Array, table: Array | None = None, *, keys: Keys | None = None) -> Array:
    """[... n d], and for a tied head the table [v d] -> [... n v], float32."""
    x = tokens.astype(self.dtype)
    if self.linear is not None:
      x = self.norm(self.activation(self.linear(x)))
    table = table if self.table is None else self.table[...]
    return product(x, table.T) + self.bias[...]


def last(tokens: Array, mask: Array) -> Array:
  """Of tokens [b n d] the last for which the mask [b n] is true, [b d]; the first where it is for none."""
  at = jnp.max(jnp.where(mask, jnp.arange(mask.shape[1]), 0), 1)
  return jnp.take_along_axis(tokens, at[:, None, None], 1)[:, 0]


def sequence_length(on) -> int:
  """How many tokens an example has.

  Raises:
    ValueError: not one axis.
  """
  shape = shape_of(on)
  if len(shape) != 1:
    raise ValueError(f'a backbone of tokens stands on ids of shape (n,), and was given {shape}')
  return shape[0]
