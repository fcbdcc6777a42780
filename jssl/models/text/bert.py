"""BERT: post-norm transformers over token ids."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import FeedForward, scan, stacked
from jssl.models.layers.dropout import dropout
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.relative import buckets
from jssl.models.layers.shapes import shape_of, whole
from jssl.ops.pooling import masked_mean
from jssl.types import Array, Features, Keys, fold


class PostNormBlock(nnx.Module):
  """norm(x + attention(x)), then norm(x + mlp(x)), with dropout of attention probabilities and of what is added.

  Args:
    on: width of the tokens.
    heads: of the attention.
    hidden: width of the hidden layer.
    dropout: rate.
    activation: of the hidden layer, as in `FeedForward`.
    std: of the kernels, as in `layers.kernel_init`.
    epsilon: of the normalisations.
    dtype: to compute in.

  Reference: Vaswani et al., NeurIPS 2017, arXiv:1706.03762, section 3.1 and 5.4; dropout of attention probabilities at
    the same rate, as in BERT's official code.
  """

  def __init__(
    self,
    on: int,
    *,
    heads: int,
    hidden: int,
    dropout: float = 0.0,
    activation: str = 'gelu',
    std: float = 0.02,
    epsilon: float = 1e-12,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    norm = dict(epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.attention = Attention(on, heads=heads, dropout=dropout, std=std, dtype=dtype, rngs=rngs)
    self.norm1 = LayerNorm(on, **norm)
    self.mlp = FeedForward(on, width=hidden, activation=activation, std=std, dtype=dtype, rngs=rngs)
    self.norm2 = LayerNorm(on, **norm)
    self.dropout = dropout

  def __call__(self, x: Array, *, mask: Array | None = None, bias: Array | None = None, keys: Keys | None = None, rate: None = None) -> Array:
    """[b n d] -> [b n d]; mask and bias as in `attention`; `rate` of stochastic depth is None: there is none."""
    key = (lambda i: None) if keys is None else partial(fold, keys)
    x = self.norm1(x + dropout(self.attention(x, mask=mask, bias=bias, keys=key(2)), key(0), self.dropout))
    return self.norm2(x + dropout(self.mlp(x), key(1), self.dropout))


class Bert(nnx.Module):
  """Token ids through a post-norm transformer; padding is neither attended to nor pooled.

  Parameters of the blocks are stacked on a leading layer axis and scanned over, so one block is compiled.

  Args:
    on: (n,), the shape of one example's ids, or its ShapeDtypeStruct; shorter ones are taken too.
    vocabulary: number of ids.
    width: d.
    depth: number of blocks.
    heads: of the attention.
    hidden: width of the blocks' hidden layers; None for 4 d.
    positions: whether a learned vector for each position is added; without it, order is told by `visible` alone, as in a table.
    length: number of learned positions; None for as many as n tokens need.
    types: number of token types: 2 tell the sentences of a pair apart, with 0 there are none.
    embedding: width of the embeddings, which a linear map takes to d (ELECTRA); None for d, without such a map.
    from_pad: positions count the tokens that are no padding, from `pad` + 1 on (RoBERTa); otherwise all tokens, from 0 on.
    buckets: number of classes of distances, each of which adds a learned number to the attention logits of every head, the same
      in all blocks (MPNet); None for none.
    activation: of the blocks' hidden layers, as in `FeedForward`.
    pool: 'mean' over the tokens that are no padding, 'first_last', the mean of those of the first and the last block,
      'sqrt', the sum of the tokens over the root of their number, or 'cls', the first token.
    dropout: rate, after the embedding and in the blocks, of attention probabilities too.
    mask_id: the id that stands for a hidden token; None where tokens are hidden by a view.
    pad: the id of padding; None where there is none.
    std: of kernels and embeddings.
    epsilon: of the normalisations.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim` = d, `longest`, the most tokens that it takes, and what was given.

  Raises:
    ValueError: `on` is no sequence of ids or longer than the positions, the heads do not divide d, an unknown pool or activation,
      positions that count from a padding that there is not, a number of buckets that is no multiple of 4.

  Reference: Devlin, Chang, Lee, Toutanova, NAACL 2019, arXiv:1810.04805, section 3 and appendix A.2; mean pooling:
    Reimers, Gurevych, EMNLP 2019, arXiv:1908.10084, section 3; first and last: Huang et al. (WhiteningBERT), Findings of
    EMNLP 2021, arXiv:2104.01767, section 2; the root: Cer et al. (USE) 2018, arXiv:1803.11175, section 2.2; `from_pad`: Liu et al.
    (RoBERTa), arXiv:1907.11692, official code; `embedding`: Clark et al. (ELECTRA), ICLR 2020, arXiv:2003.10555, official code;
    `buckets`: Song et al. (MPNet), NeurIPS 2020, arXiv:2004.09297, official code.
  """

  def __init__(
    self,
    on,
    *,
    vocabulary: int,
    width: int,
    depth: int,
    heads: int,
    hidden: int | None = None,
    positions: bool = True,
    length: int | None = None,
    types: int = 2,
    embedding: int | None = None,
    from_pad: bool = False,
    buckets: int | None = None,
    activation: str = 'gelu',
    pool: str = 'mean',
    dropout: float = 0.0,
    mask_id: int | None = None,
    pad: int | None = 0,
    std: float = 0.02,
    epsilon: float = 1e-12,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    shape, hidden = shape_of(on), hidden or 4 * width
    if len(shape) != 1:
      raise ValueError(f'a Bert stands on ids of shape (n,), and was given {shape}')
    if buckets is not None and (buckets < 4 or buckets % 4):
      raise ValueError(f'{buckets} classes of distances: expected a multiple of 4')
    if from_pad and pad is None:
      raise ValueError('positions count from the id of padding, and pad is None: give pad, or leave from_pad out')
    unused = pad + 1 if from_pad else 0
    length = length or unused + shape[0]
    self.longest = length - unused
    if shape[0] > self.longest:
      raise ValueError(f'a Bert of {length} positions takes at most {self.longest} tokens, and was given {shape[0]}: choose shorter texts')
    if pool not in ('mean', 'sqrt', 'first_last', 'cls'):
      raise ValueError(f"unknown pool {pool!r}: choose 'mean', 'sqrt', 'first_last' or 'cls'")
    self.dim, self.vocabulary, self.depth, self.heads, self.hidden, self.length = width, vocabulary, depth, heads, hidden, length
    self.types, self.pool, self.dropout, self.mask_id, self.pad = types, pool, dropout, mask_id, pad
    self.epsilon, self.remat = epsilon, remat
    self.embedding, self.from_pad, self.buckets, self.activation = None if embedding == width else embedding, from_pad, buckets, activation
    inner = embedding or width
    embed = partial(nnx.Embed, features=inner, embedding_init=nnx.initializers.normal(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.word, self.position = embed(vocabulary), embed(length) if positions else None
    self.type = embed(types) if types else None
    self.norm = LayerNorm(inner, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    options = dict(heads=heads, hidden=hidden, dropout=dropout, activation=activation, std=std, epsilon=epsilon, dtype=dtype)
    self.blocks = stacked(lambda rngs: PostNormBlock(width, rngs=rngs, **options), depth, rngs=rngs)
    linear = partial(nnx.Linear, kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.project = linear(self.embedding, width) if self.embedding else None
    self.relative = nnx.Param(nnx.initializers.normal(std)(rngs.params(), (buckets, heads))) if buckets else None

  def __call__(
    self,
    x: Array,
    *,
    types: Array | None = None,
    mask: Array | None = None,
    visible: Array | None = None,
    keep: Array | None = None,
    keys: Keys | None = None,
  ) -> Features:
    """Encode token ids.

    Args:
      x: [b n] int.
      types: [b n] int, the type of each token; None for 0.
      mask: [b n] bool, True = the token is replaced by `mask_id`.
      visible: [b n n] bool, True = token i sees token j; None where all see all tokens. Such a Bert pools at its first token.
      keep: None; a Bert encodes whole sequences.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d], pooled [b d], and layers [l+1 b n d], the states from the embedding to the last block.
    """
    whole(keep, 'a Bert')
    attended = self.attended(x)
    if mask is not None:
      if self.mask_id is None:
        raise ValueError('this Bert has no mask_id to put in the place of hidden tokens: set one, or hide them in a view')
      x = jnp.where(mask & attended, self.mask_id, x)
    attended = attended if visible is None else visible & attended[:, None, :]
    return self.encode(self.embed(x, types=types, keys=keys), attended, keys=keys)

  def attended(self, x: Array) -> Array:
    """[b n] ids -> [b n] bool, which are no padding."""
    return jnp.ones(x.shape, bool) if self.pad is None else x != self.pad

  def embed(self, x: Array, *, types: Array | None = None, keys: Keys | None = None) -> Array:
    """[b n] token ids -> [b n d]: word, type and position added, normalised; the first half of a call."""
    if types is not None and self.type is None:
      raise ValueError('this Bert has no token types and was given some: leave types out, or make it with types=2')
    words = self.word(x)
    words = words if self.type is None else words + self.type(jnp.zeros_like(x) if types is None else types)
    x = words if self.position is None else words + self.positions(x)
    x = dropout(self.norm(x), None if keys is None else fold(keys, self.depth), self.dropout)
    return x if self.project is None else self.project(x)

  def positions(self, x: Array) -> Array:
    """[b n] ids -> [n d] or [b n d], the vectors of their positions."""
    # A slice, not a look-up: spread over devices, the gradient of a look-up would read what fills up an uneven share.
    first = self.pad if self.from_pad else 0
    positions = self.position.embedding[...][first : first + x.shape[1] + self.from_pad].astype(self.position.dtype)
    if self.from_pad:
      real = self.attended(x)
      positions = positions[jnp.cumsum(real, 1) * real]
    return positions

  def encode(self, x: Array, attended: Array, *, keys: Keys | None = None) -> Features:
    """[b n d] embedded tokens, of which those in [b n] are attended to and pooled -> Features; the second half of a call."""
    y, layers = scan(self.blocks, x, mask=attended, keys=keys, remat=self.remat, bias=self.bias(x.shape[1]))
    if self.pool == 'cls':
      pooled = y[:, 0]
    else:
      pooled = masked_mean((layers[0] + y) / 2 if self.pool == 'first_last' else y, attended)
      if self.pool == 'sqrt':
        pooled *= jnp.sqrt(attended.sum(-1, keepdims=True).astype(pooled.dtype))
    return Features(y, pooled, jnp.concatenate([x[None], layers]))

  def bias(self, n: int) -> Array | None:
    """[1 h n n], what is added to the attention logits of n tokens; None where nothing is."""
    if self.relative is None:
      return None
    which = buckets(np.arange(n) - np.arange(n)[:, None], self.buckets, 128, bidirectional=True)
    return jnp.moveaxis(self.relative[...][which], -1, 0)[None].astype(self.word.dtype)

  def neurons(self, x: Array) -> Array:
    """Activations of the blocks' hidden layers, after the activation: [b n] ids to [l b n h]."""
    graphdef, params = nnx.split(self.blocks)

    def block(layer):
      params, h = layer
      block = nnx.merge(graphdef, params, copy=True)
      return block.mlp.activation(block.mlp.fc1(block.norm1(h + block.attention(h, mask=self.attended(x), bias=self.bias(x.shape[1])))))

    return jax.lax.map(block, (nnx.to_pure_dict(params), self(x).layers[:-1]))

  def pushed(self, layer: int, by: Array) -> 'Bert':
    """This network with `by` [d] added to every state that leaves block `layer`, as steering does.

    What leaves a post-norm block leaves its last normalisation, so this is a shift of that one's bias.
    """
    graphdef, params, rest = nnx.split(self, nnx.Param, ...)
    params = nnx.to_pure_dict(params)
    bias = params['blocks']['norm2']['bias']
    params['blocks']['norm2']['bias'] = bias.at[layer].add(by)
    return nnx.merge(graphdef, params, rest, copy=True)

  @property
  def table(self) -> Array:
    """[v d], or [v `embedding`], the words' embeddings: what a head that is tied to them reads logits off."""
    return self.word.embedding[...]
