"""ModernBERT: a pre-norm transformer over token ids with mostly local attention."""

from functools import partial

import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.activations import activation
from jssl.models.layers.attention import Attention, apart
from jssl.models.layers.blocks import scan, stacked
from jssl.models.layers.dropout import dropout
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.rotary import angles
from jssl.models.layers.shapes import shape_of, whole
from jssl.ops.look_up import look_up
from jssl.ops.pooling import masked_mean
from jssl.types import Array, Features, Keys, fold


class GatedFeedForward(nnx.Module):
  """fc2(f(a) b), where a and b are the halves of fc1(x), without biases.

  Args:
    on: width of the tokens.
    width: width of the hidden layer.
    activation: f.
    dropout: dropout rate in the hidden layer.
    std: standard deviation of initial kernels, as in `layers.kernel_init`.
    dtype: compute type.

  Reference: Shazeer, arXiv:2002.05202, Eq. 6 (GEGLU if f is 'gelu').
  """

  def __init__(
    self,
    on: int,
    *,
    width: int,
    activation: str = 'gelu',
    dropout: float = 0.0,
    std: float = 0.02,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    options = dict(use_bias=False, kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.fc1, self.fc2 = nnx.Linear(on, 2 * width, **options), nnx.Linear(width, on, **options)
    self.activation, self.dropout = activation, dropout

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    a, b = apart(self.fc1, x, 2)
    return self.fc2(dropout(activation(self.activation)(a) * b, keys, self.dropout))


class ModernBertBlock(nnx.Module):
  """x + attention(norm(x)), then x + mlp(norm(x)), without biases; array arguments select whether it is global, and whether it is the first.

  Args:
    on: width of the tokens.
    heads: number of attention heads.
    hidden: width of the hidden layer.
    activation: activation of the hidden layer.
    dropout: dropout rate of attention probabilities, after the attention and in the hidden layer.
    std: standard deviation of initial kernels, as in `layers.kernel_init`.
    epsilon: epsilon of the normalisations.
    dtype: compute type.

  Reference: Warner et al., arXiv:2412.13663, section 2.1.
  """

  def __init__(
    self,
    on: int,
    *,
    heads: int,
    hidden: int,
    activation: str = 'gelu',
    dropout: float = 0.0,
    std: float = 0.02,
    epsilon: float = 1e-5,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    norm = partial(LayerNorm, on, epsilon=epsilon, use_bias=False, dtype=jnp.dtype(dtype), rngs=rngs)
    self.norm1 = norm()
    self.attention = Attention(on, heads=heads, bias=False, dropout=dropout, std=std, dtype=dtype, rngs=rngs)
    self.norm2 = norm()
    self.mlp = GatedFeedForward(on, width=hidden, activation=activation, dropout=dropout, std=std, dtype=dtype, rngs=rngs)
    self.dropout = dropout

  def __call__(
    self,
    x: Array,
    *,
    mask: Array,
    window: Array,
    rotary: Array,
    full: Array,
    first: Array,
    keys: Keys | None = None,
    rate: None = None,
  ) -> Array:
    """[b n d] -> [b n d].

    Args:
      x: [b n d].
      mask: [b n] bool, True = may be attended.
      window: [n n] bool, attention mask of local blocks.
      rotary: [2 n e], rotary angles of local and of global blocks.
      full: [] bool, whether this block is global.
      first: [] bool, whether it is the first block, whose input is already normalised.
      keys: [b], or None for evaluation.
      rate: None, since there is no stochastic depth.
    """
    key = (lambda i: None) if keys is None else partial(fold, keys)
    y = jnp.where(first, x, self.norm1(x))
    y = self.attention(y, mask=mask[:, None, :] & (full | window), rotary=rotary[full.astype(int)], keys=key(0))
    x = x + dropout(y, key(1), self.dropout)
    return x + self.mlp(self.norm2(x), keys=key(2))


class ModernBert(nnx.Module):
  """A pre-norm transformer over token ids with rotary positions; every few layers have global attention, the others local attention.

  Padding is neither attended to nor pooled. Parameters of the blocks are stacked along a leading layer axis and scanned over, so that one block
  is compiled; a flag for each layer selects its mask and angles. The first block has parameters of an unused normalisation.

  Args:
    on: (n,), the shape of one example's ids, or its ShapeDtypeStruct; shorter sequences are accepted too.
    vocabulary: number of ids.
    width: d.
    depth: number of blocks.
    heads: number of attention heads.
    hidden: width of the blocks' hidden layers, each computed by two linear maps; None for 1.5 d.
    length: maximal length of a text; None for n.
    every: the blocks 0, `every`, 2 `every`, ... are global; the others are local.
    window: attention window of local blocks: window // 2 tokens to each side, and the token itself.
    theta: theta of the rotary positions of global blocks, as in `rotary.angles`.
    local_theta: theta of local blocks.
    pool: 'mean' over the tokens without padding, or 'cls', the first token.
    activation: activation of the hidden layers.
    dropout: dropout rate after the embedding and in the blocks, including attention probabilities.
    mask_id: the id of the mask token; None if a view masks tokens.
    pad: the id of padding; None without padding.
    std: standard deviation of initial kernels and embeddings.
    epsilon: epsilon of the normalisations.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Attributes: `dim` = d, and the arguments.

  Raises:
    ValueError: if `on` is not a sequence of ids or is longer than `length`, the heads do not divide d, or the pool is unknown.

  Reference: Warner et al., arXiv:2412.13663, sections 2.1.1 (no biases, rotary positions, pre-norm, GeGLU), 2.1.2 (global attention every
    third layer, windows of 128 tokens, theta 160,000 and 10,000) and Table 4; windows: Beltagy et al., arXiv:2004.05150, section 3.1;
    residual kernels over the root of the number of residual layers: Shoeybi et al., arXiv:1909.08053, appendix A.
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
    length: int | None = None,
    every: int = 3,
    window: int = 128,
    theta: float = 160_000.0,
    local_theta: float = 10_000.0,
    pool: str = 'mean',
    activation: str = 'gelu',
    dropout: float = 0.0,
    mask_id: int | None = None,
    pad: int | None = 0,
    std: float = 0.02,
    epsilon: float = 1e-5,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    shape, hidden = shape_of(on), hidden or 3 * width // 2
    length = length or shape[0]
    if len(shape) != 1 or shape[0] > length:
      raise ValueError(f'a ModernBert of texts of {length} tokens stands on ids of shape (n,) with n <= {length}, and was given {shape}')
    if pool not in ('mean', 'cls'):
      raise ValueError(f"unknown pool {pool!r}: choose 'mean' or 'cls'")
    self.dim, self.vocabulary, self.depth, self.heads, self.hidden, self.length = width, vocabulary, depth, heads, hidden, length
    self.every, self.window, self.theta, self.local_theta = every, window, theta, local_theta
    self.pool, self.activation, self.dropout, self.mask_id, self.pad = pool, activation, dropout, mask_id, pad
    self.epsilon, self.remat, self.dtype = epsilon, remat, dtype
    norm = partial(LayerNorm, width, epsilon=epsilon, use_bias=False, dtype=jnp.dtype(dtype), rngs=rngs)
    self.word = nnx.Param(nnx.initializers.normal(std)(rngs.params(), (vocabulary, width)))
    self.norm = norm()
    options = dict(heads=heads, hidden=hidden, activation=activation, dropout=dropout, std=std, epsilon=epsilon, dtype=dtype)
    self.blocks = stacked(lambda rngs: ModernBertBlock(width, rngs=rngs, **options), depth, rescale='depth', rngs=rngs)
    self.final = norm()

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """Encodes token ids.

    Args:
      x: [b n] int.
      mask: [b n] bool, True = the token is replaced by `mask_id`.
      keep: None; a ModernBert encodes whole sequences.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d] and pooled [b d], normalised; layers [l+1 b n d], the states from the embedding to the last block.
    """
    whole(keep, 'a ModernBert')
    attended = self.attended(x)
    if mask is not None:
      if self.mask_id is None:
        raise ValueError('this ModernBert has no mask_id to put in the place of hidden tokens: set one, or hide them in a view')
      x = jnp.where(mask & attended, self.mask_id, x)
    h = self.norm(look_up(self.word[...], x).astype(self.dtype))
    h = dropout(h, None if keys is None else fold(keys, self.depth), self.dropout)
    places, layers = jnp.arange(x.shape[1]), jnp.arange(self.depth)
    window = jnp.abs(places[:, None] - places) <= self.window // 2
    rotary = jnp.stack([angles(places, self.dim // self.heads, theta) for theta in (self.local_theta, self.theta)])
    each = dict(full=layers % self.every == 0, first=layers == 0)
    y, states = scan(self.blocks, h, mask=attended, keys=keys, remat=self.remat, each=each, window=window, rotary=rotary)
    y = self.final(y)
    pooled = y[:, 0] if self.pool == 'cls' else masked_mean(y, attended)
    return Features(y, pooled, jnp.concatenate([h[None], states]))

  def attended(self, x: Array) -> Array:
    """[b n] ids -> [b n] bool, True where not padding."""
    return jnp.ones(x.shape, bool) if self.pad is None else x != self.pad

  @property
  def table(self) -> Array:
    """[v d], the token embeddings, for heads with tied weights."""
    return self.word[...]
