"""Text towers of image-text models: CLIP and SigLIP."""

import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.blocks import Block, scan, stacked
from jssl.models.layers.dropout import dropout
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import shape_of
from jssl.ops.look_up import look_up
from jssl.types import Array, Features, Keys, fold


class TextTower(nnx.Module):
  """A pre-norm transformer over token ids with learned positions; pooled is the state of one token.

  A causal tower (CLIP) needs no padding id, since tokens do not attend to later ones, and padding follows the end-of-text token. A
  bidirectional one (SigLIP) is trained on texts padded to its length, and attends to the padding.

  Parameters of the blocks are stacked along a leading layer axis and scanned over, so that one block is compiled.

  Args:
    on: (n,), the shape of one example's ids, or its ShapeDtypeStruct; shorter sequences are accepted too.
    vocabulary: number of ids.
    width: d.
    depth: number of blocks.
    heads: number of attention heads.
    hidden: width of the blocks' hidden layers; None for 4 d.
    length: number of learned positions; None for n.
    causal: tokens attend only to themselves and to previous tokens.
    pool: 'end', the first token whose id is `end`; 'largest', the token with the largest id, which is the end of text in CLIP's
      vocabulary; or 'last', the last one, padding or not.
    end: the id of the end of text, for `pool='end'`.
    out: width of a linear map of the pooled state (SigLIP); None for none.
    activation: activation of the blocks, as in `FeedForward`.
    dropout: dropout rate after the embedding and in the blocks, including attention probabilities.
    std: standard deviation of initial kernels and embeddings.
    epsilon: epsilon of the normalisations.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Attributes: `dim`, the width of the pooled vector, and the arguments.

  Raises:
    ValueError: if `on` is not a sequence of ids or is longer than the positions, the heads do not divide d, the pool is unknown, or 'end' has
      no id.

  Reference: Radford et al. (CLIP), ICML 2021, arXiv:2103.00020, section 2.4 and official code (QuickGELU, argmax of the ids); Zhai et
    al. (SigLIP), ICCV 2023, arXiv:2303.15343, official code (big_vision, two_towers: bidirectional, last token, linear map).
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
    causal: bool = True,
    pool: str = 'largest',
    end: int | None = None,
    out: int | None = None,
    activation: str = 'quick_gelu',
    dropout: float = 0.0,
    std: float = 0.02,
    epsilon: float = 1e-5,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    shape, hidden = shape_of(on), hidden or 4 * width
    length = length or shape[0]
    if len(shape) != 1 or shape[0] > length:
      raise ValueError(f'a text tower of {length} positions stands on ids of shape (n,) with n <= {length}, and was given {shape}')
    if pool not in ('end', 'largest', 'last'):
      raise ValueError(f"unknown pool {pool!r}: choose 'end', 'largest' or 'last'")
    if pool == 'end' and end is None:
      raise ValueError("a text tower that pools at the end of text needs its id: give end, or choose pool='largest' or 'last'")
    self.vocabulary, self.width, self.depth, self.heads, self.hidden, self.length = vocabulary, width, depth, heads, hidden, length
    self.causal, self.pool, self.end, self.activation, self.dropout = causal, pool, end, activation, dropout
    self.epsilon, self.remat, self.dtype, self.dim = epsilon, remat, dtype, out or width
    normal = nnx.initializers.normal(std)
    self.word = nnx.Param(normal(rngs.params(), (vocabulary, width)))
    self.positions = nnx.Param(normal(rngs.params(), (length, width)))
    options = dict(hidden=hidden, dropout=dropout, attention_dropout=dropout, causal=causal, activation=activation, std=std)
    options |= dict(heads=heads, epsilon=epsilon, dtype=dtype)
    self.blocks = stacked(lambda rngs: Block(width, rngs=rngs, **options), depth, rescale='depth', rngs=rngs)
    self.norm = LayerNorm(width, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.out = None if out is None else nnx.Linear(width, out, kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Features:
    """Encodes token ids.

    Args:
      x: [b n] int.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d], normalised, pooled [b dim], and layers [l+1 b n d], the states from the embedding to the last block.
    """
    h = (look_up(self.word[...], x) + self.positions[...][: x.shape[1]]).astype(self.dtype)
    h = dropout(h, None if keys is None else fold(keys, 0), self.dropout)
    y, layers = scan(self.blocks, h, keys=None if keys is None else fold(keys, 1), remat=self.remat)
    y = self.norm(y)
    pooled = y[jnp.arange(len(y)), self.ends(x)]
    return Features(y, pooled if self.out is None else self.out(pooled), jnp.concatenate([h[None], layers]))

  def ends(self, x: Array) -> Array:
    """[b n] ids -> [b], the position of the pooled token; the first one if a text has no end."""
    match self.pool:
      case 'end':
        return jnp.argmax(x == self.end, 1)
      case 'largest':
        return jnp.argmax(x, 1)
    return jnp.full(len(x), x.shape[1] - 1)

  def attended(self, x: Array) -> Array:
    """[b n] ids -> [b n] bool, True where not padding: the tokens up to the one that is pooled."""
    return jnp.arange(x.shape[1]) <= self.ends(x)[:, None]

  @property
  def table(self) -> Array:
    """[v d], the token embeddings."""
    return self.word[...]
