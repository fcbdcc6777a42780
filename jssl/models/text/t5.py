"""T5: an encoder-decoder transformer with relative position biases."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl.devices.sharding import gathered
from jssl.models.layers.attention import Attention, apart, attention
from jssl.models.layers.blocks import FeedForward, scan, stacked
from jssl.models.layers.dropout import dropout
from jssl.models.layers.normalization import RMSNorm
from jssl.models.layers.products import product
from jssl.models.layers.relative import buckets
from jssl.models.text.transformer import last, sequence_length
from jssl.ops.look_up import look_up
from jssl.ops.pooling import masked_mean
from jssl.types import Array, Features, Keys, fold


class T5Block(nnx.Module):
  """Self-attention, in a decoder cross-attention, and feed-forward, each pre-norm and residual.

  Attention logits are not scaled; the initialisation of the queries makes up for it.

  Args:
    on: width of the tokens.
    heads: of the attentions.
    head: width of a head.
    hidden: width of the hidden layer.
    decoder: causal, and with cross-attention to a context of the same width.
    activation, gated: as in `FeedForward`.
    dropout: rate, of attention probabilities, in the hidden layer and of each branch.
    epsilon: of the normalisations.
    dtype: to compute in.

  Reference: Raffel et al., JMLR 2020, arXiv:1910.10683, section 2.1; initialisation: the official code, mesh_tensorflow.
  """

  def __init__(
    self,
    on: int,
    *,
    heads: int,
    head: int,
    hidden: int,
    decoder: bool,
    activation: str,
    gated: bool,
    dropout: float,
    epsilon: float,
    dtype: str,
    rngs: nnx.Rngs,
  ):
    norm = dict(epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    options = dict(heads=heads, head=head, bias=False, scale=1.0, dropout=dropout, std=1.0, dtype=dtype, rngs=rngs)
    self.norm1 = RMSNorm(on, **norm)
    self.attention = Attention(on, causal=decoder, **options)
    self.norm_cross = RMSNorm(on, **norm) if decoder else None
    self.cross = Attention(on, context=on, **options) if decoder else None
    self.norm2 = RMSNorm(on, **norm)
    mlp = dict(width=hidden, dropout=dropout, activation=activation, gated=gated, bias=False, std=1.0, dtype=dtype)
    self.mlp = FeedForward(on, **mlp, rngs=rngs)
    self.dropout = dropout
    small = jnp.repeat(jnp.array([(on * head) ** -0.5, on**-0.5, on**-0.5]), heads * head)
    maps = [(self.attention.qkv, small), (self.attention.proj, (heads * head) ** -0.5)]
    if decoder:
      maps += [(self.cross.q, (on * head) ** -0.5), (self.cross.kv, on**-0.5), (self.cross.proj, (heads * head) ** -0.5)]
    maps += [(self.mlp.fc1, on**-0.5), (self.mlp.fc2, hidden**-0.5), *([(self.mlp.gate, on**-0.5)] if gated else [])]
    for linear, deviation in maps:
      linear.kernel.set_value(linear.kernel[...] * deviation)

  def __call__(
    self,
    x: Array,
    *,
    bias: Array,
    mask: Array | None = None,
    context: Array | None = None,
    context_mask: Array | None = None,
    keys: Keys | None = None,
    rate: None = None,
  ) -> Array:
    """[b n d], position biases [1 h n n], and in a decoder a context [b m d] -> [b n d]; masks are True for tokens."""
    key = lambda i: None if keys is None else fold(keys, i)
    x = x + dropout(self.attention(self.norm1(x), mask=mask, bias=bias, keys=key(0)), key(1), self.dropout)
    if self.cross is not None:
      x = x + dropout(self.cross(self.norm_cross(x), context, mask=context_mask, keys=key(2)), key(3), self.dropout)
    return x + dropout(self.mlp(self.norm2(x), keys=key(4)), key(5), self.dropout)

  def cached(self, context: Array) -> tuple[Array, Array]:
    """Keys and values [b m h d] of a context."""
    return tuple(self._heads(x) for x in apart(self.cross.kv, context, 2))

  def step(self, x: Array, k: Array, v: Array, cross: tuple[Array, Array], *, layer: Array, place: Array, bias: Array, seen: Array):
    """The next token of each sequence [b 1 d] -> [b 1 d], and the updated keys and values k, v [l b n h d]."""
    q, *new = (self._heads(t) for t in apart(self.attention.qkv, self.norm1(x), 3))
    k, v = (jax.lax.dynamic_update_slice(old, t[None].astype(old.dtype), (layer, 0, place, 0, 0)) for old, t in zip((k, v), new, strict=True))
    before = (jnp.arange(k.shape[2]) <= place)[None]
    join = lambda y: y.reshape(*y.shape[:-2], -1)
    x = x + self.attention.proj(join(attention(q, k[layer], v[layer], mask=before, bias=bias, scale=1.0)))
    q = self._heads(self.cross.q(self.norm_cross(x)))
    x = x + self.cross.proj(join(attention(q, *cross, mask=seen, scale=1.0)))
    return x + self.mlp(self.norm2(x)), k, v

  def _heads(self, x: Array) -> Array:
    return x.reshape(*x.shape[:-1], -1, self.attention.head)


class T5Encoder(nnx.Module):
  """Token ids through the encoder of a T5; padding is neither attended to nor pooled.

  Args:
    on: (n,), the shape of one example's ids, or its ShapeDtypeStruct; sequences of other lengths are taken too.
    vocabulary: number of ids.
    width: d.
    depth: number of blocks.
    heads: of the attention.
    head: width of a head; None for d over the heads.
    hidden: width of the blocks' hidden layers; None for 4 d.
    activation, gated: as in `FeedForward`: 'relu' in version 1.0, 'gelu_tanh', gated, in 1.1.
    buckets: number of relative position buckets.
    distance: beyond which all positions share one bucket.
    pool: 'mean' over the tokens that are no padding, 'sqrt', their sum over the root of their number, or 'cls', the first token.
    dropout: rate, of the embedding, in the blocks and after the last normalisation.
    pad: the id of padding; None where there is none.
    epsilon: of the normalisations.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim` = d, and what was given.

  Raises:
    ValueError: `on` is no sequence of ids, the heads do not divide d, an unknown pool.

  Reference: Raffel et al., JMLR 2020, arXiv:1910.10683, section 2.1; gated: Shazeer, arXiv:2002.05202, Eq. 6; the mean or the first
    token: Ni et al. (Sentence-T5), Findings of ACL 2022, arXiv:2108.08877, section 3.1.
  """

  def __init__(
    self,
    on,
    *,
    vocabulary: int,
    width: int,
    depth: int,
    heads: int,
    head: int | None = None,
    hidden: int | None = None,
    activation: str = 'relu',
    gated: bool = False,
    buckets: int = 32,
    distance: int = 128,
    pool: str = 'mean',
    dropout: float = 0.0,
    pad: int | None = 0,
    epsilon: float = 1e-6,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    sequence_length(on)
    if head is None and width % heads:
      raise ValueError(f'{heads} heads do not divide a width of {width}: give head, the width of each')
    if pool not in ('mean', 'sqrt', 'cls'):
      raise ValueError(f"unknown pool {pool!r}: choose 'mean', 'sqrt' or 'cls'")
    self.dim, self.vocabulary, self.depth, self.heads, self.head = width, vocabulary, depth, heads, head or width // heads
    self.hidden, self.activation, self.gated = hidden or 4 * width, activation, gated
    self.buckets, self.distance, self.pool, self.pad = buckets, distance, pool, pad
    self.dropout, self.epsilon, self.remat, self.dtype = dropout, epsilon, remat, dtype
    self.table = nnx.Param(nnx.initializers.normal(1.0)(rngs.params(), (vocabulary, width)))
    self.distances = self.make_distances(rngs)
    self.blocks = self.make_blocks(depth, decoder=False, rngs=rngs)
    self.norm = RMSNorm(width, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)

  def __call__(self, ids: Array, *, keys: Keys | None = None) -> Features:
    """Encode token ids.

    Args:
      ids: [b n] int.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d], normalised, and pooled [b d]; layers [l+1 b n d], the states from the embedding to the last block.
    """
    key = lambda i: None if keys is None else fold(keys, i)
    attended = self.attended(ids)
    x = dropout(self.embed(ids), key(0), self.dropout)
    bias = self.bias(self.distances, ids.shape[1], bidirectional=True)
    y, layers = scan(self.blocks, x, mask=attended, keys=key(1), remat=self.remat, bias=bias)
    y = dropout(self.norm(y), key(2), self.dropout)
    pooled = y[:, 0] if self.pool == 'cls' else masked_mean(y, attended)
    if self.pool == 'sqrt':
      pooled *= jnp.sqrt(attended.sum(-1, keepdims=True).astype(pooled.dtype))
    return Features(y, pooled, jnp.concatenate([x[None], layers]))

  def attended(self, ids: Array) -> Array:
    """[b n] ids -> [b n] bool, which are no padding."""
    return jnp.ones(ids.shape, bool) if self.pad is None else ids != self.pad

  def embed(self, ids: Array) -> Array:
    """[...] ids -> [... d]."""
    return look_up(self.table[...], ids).astype(self.dtype)

  def make_blocks(self, depth: int, *, decoder: bool, rngs: nnx.Rngs) -> nnx.Module:
    """Blocks of the size of the encoder's."""
    told = {name: getattr(self, name) for name in ('heads', 'head', 'hidden', 'activation', 'gated', 'dropout', 'epsilon', 'dtype')}
    return stacked(lambda rngs: T5Block(self.dim, decoder=decoder, **told, rngs=rngs), depth, rngs=rngs)

  def make_distances(self, rngs: nnx.Rngs) -> nnx.Param:
    """The position bias of each bucket and head, [c h]."""
    return nnx.Param(nnx.initializers.normal(self.dim**-0.5)(rngs.params(), (self.buckets, self.heads)))

  def bias(self, distances: nnx.Param, length: int, *, bidirectional: bool, place: Array | None = None) -> Array:
    """Position biases [1 h n n] from a table [c h]; with a place only those of this query, [1 h 1 n]."""
    offsets = np.arange(length)[None] - np.arange(length)[:, None]
    which = jnp.asarray(buckets(offsets, self.buckets, self.distance, bidirectional=bidirectional))
    which = which if place is None else which[place][None]
    return jnp.moveaxis(distances[...][which], -1, 0)[None]


class T5Cache(NamedTuple):
  """Keys and values of a decoder; the batch axis of all arrays is 1."""

  k: Array  # [l b n h d], of the decoder's tokens so far
  v: Array
  cross_k: Array  # [l b m h d], of the encoder's states
  cross_v: Array
  seen: Array  # [1 b m] bool, which of the encoder's tokens are not padding


class T5(nnx.Module):
  """The encoder-decoder.

  A call runs the encoder. `decode` runs the decoder on whole texts (teacher forcing). `start` and `step` are for `ops.generation`:

    greedy(net.step, net.start(ids, 20), start, lengths, length=20, end=1)
    beam_search(net.step, net.start(ids, 20), start, lengths, length=20, end=1, beams=4, axis=1)

  Args:
    on, pool, dropout, remat, dtype, rngs: as in `T5Encoder`.
    decoder_depth: number of blocks of the decoder; None for as many as the encoder has.
    tied: logits are inner products with the table of embeddings; otherwise with a table of their own.
    scaled: multiply the decoder's output by d^-0.5 before the logits, as in version 1.0.
    **encoder: further options of `T5Encoder`, also those of the decoder.

  Attributes: `dim` = d, `vocabulary`, and what was given.

  Reference: Raffel et al., JMLR 2020, arXiv:1910.10683, section 2.1; the scale of logits: the official code, mesh_tensorflow.
  """

  def __init__(
    self,
    on,
    *,
    decoder_depth: int | None = None,
    tied: bool = True,
    scaled: bool = True,
    pool: str = 'mean',
    dropout: float = 0.0,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
    **encoder,
  ):
    self.encoder = T5Encoder(on, pool=pool, dropout=dropout, remat=remat, dtype=dtype, rngs=rngs, **encoder)
    self.dim, self.vocabulary, self.pool = self.encoder.dim, self.encoder.vocabulary, pool
    self.decoder_depth, self.tied, self.scaled = decoder_depth or self.encoder.depth, tied, scaled
    self.distances = self.encoder.make_distances(rngs)
    self.blocks = self.encoder.make_blocks(self.decoder_depth, decoder=True, rngs=rngs)
    self.norm = RMSNorm(self.dim, epsilon=self.encoder.epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.output = None if tied else nnx.Param(nnx.initializers.normal(1.0)(rngs.params(), (self.vocabulary, self.dim)))

  def __call__(self, ids: Array, *, keys: Keys | None = None) -> Features:
    """The encoder's Features of a text [b n]; `keys` [b], or None for evaluation."""
    return self.encoder(ids, keys=keys)

  def attended(self, ids: Array) -> Array:
    """[b n] ids -> [b n] bool, which are no padding."""
    return self.encoder.attended(ids)

  def decode(self, ids: Array, context: Array, *, context_mask: Array | None = None, keys: Keys | None = None) -> Features:
    """The decoder on whole texts, with causal self-attention.

    Args:
      ids: [b n] int, the targets shifted right by one place; the start token of T5 is that of padding.
      context: [b m d], the encoder's tokens.
      context_mask: [b m] bool, True = token.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d], normalised: that at place i predicts the token at i + 1; pooled [b d], the last one that is no padding; layers
      [l+1 b n d], the states from the embedding to the last block.
    """
    key = lambda i: None if keys is None else fold(keys, i)
    x = dropout(self.encoder.embed(ids), key(3), self.encoder.dropout)
    given = dict(bias=self.encoder.bias(self.distances, ids.shape[1], bidirectional=False), context=context, context_mask=context_mask)
    y, layers = scan(self.blocks, x, keys=key(4), remat=self.encoder.remat, **given)
    y = dropout(self.norm(y), key(5), self.encoder.dropout)
    return Features(y, last(y, self.attended(ids)), jnp.concatenate([x[None], layers]))

  def logits(self, tokens: Array) -> Array:
    """The decoder's tokens [... d] -> [... v], float32."""
    table = self.encoder.table if self.output is None else self.output
    tokens = tokens * self.dim**-0.5 if self.scaled else tokens
    return product(tokens, table[...].T)

  def start(self, ids: Array, length: int) -> T5Cache:
    """The cache for `step`: encodes the texts [b m], and has room for `length` tokens of the decoder."""
    context, dtype = self.encoder(ids).tokens, self.encoder.dtype
    graphdef, params = nnx.split(self.blocks)
    block = lambda params: gathered(nnx.merge(graphdef, params, copy=True), blocks=True).cached(context)
    shape = (self.decoder_depth, len(ids), length, self.encoder.heads, self.encoder.head)
    cross = jax.lax.map(block, nnx.to_pure_dict(params))
    return T5Cache(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype), *cross, self.attended(ids)[None])

  def step(self, cache: T5Cache, ids: Array, place: Array) -> tuple[Array, Array, T5Cache]:
    """Decode one token of each text, as a step of `ops.generation`.

    Args:
      cache: from `start`, or from the step before.
      ids: [b] int.
      place: [], of these tokens.

    Returns:
      logits [b v] of the next tokens, hidden states [b d], and the updated cache.
    """
    graphdef, params = nnx.split(self.blocks)
    bias = self.encoder.bias(self.distances, cache.k.shape[2], bidirectional=False, place=place)

    def block(carried, layer):
      params, *cross, i = layer
      one = gathered(nnx.merge(graphdef, params, copy=True), blocks=True)
      return one.step(*carried, cross, layer=i, place=place, bias=bias, seen=cache.seen[0]), None

    layers = nnx.to_pure_dict(params), cache.cross_k, cache.cross_v, jnp.arange(self.decoder_depth)
    (x, k, v), _ = jax.lax.scan(block, (self.encoder.embed(ids)[:, None], cache.k, cache.v), layers)
    x = self.norm(x)[:, 0]
    return self.logits(x), x, cache._replace(k=k, v=v)
