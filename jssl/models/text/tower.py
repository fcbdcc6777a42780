"""Text towers of image-text models: CLIP, SigLIP and CoCa."""

import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.blocks import Block, scan, stacked
from jssl.models.layers.dropout import dropout
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import shape_of
from jssl.ops.look_up import look_up
from jssl.types import Array, Features, Keys, fold

POOLS = ('end', 'largest', 'last', 'last_real', 'cls')


class TextTower(nnx.Module):
  """A pre-norm transformer over token ids with learned positions; pooled is the state of one token.

  A causal tower (CLIP) need not mask padding, since tokens do not attend to later ones, and padding follows the end-of-text token. A
  bidirectional one (SigLIP) is trained on texts padded to its length, and attends to the padding. With a class token (CoCa), what follows the
  tower reads the states of the tokens, which are not normalised, and the class token alone is.

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
      vocabulary; 'last', the last one, padding or not; 'last_real', the last one that is no padding; or 'cls', a learned token at the end of
      the text, without a position, that attends to all tokens but padding.
    end: the id of the end of text, for `pool='end'`.
    pad: the id of padding, for 'last_real' and 'cls'; None where there is none.
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
    al. (SigLIP), ICCV 2023, arXiv:2303.15343, official code (big_vision, two_towers: bidirectional, last token, linear map); Yu et al.
    (CoCa), TMLR 2022, arXiv:2205.01917, section 3.2 and official code (class token without a position, states that are not normalised).
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
    pad: int | None = None,
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
    if pool not in POOLS:
      raise ValueError(f'unknown pool {pool!r}: choose one of {", ".join(map(repr, POOLS))}')
    if pool == 'end' and end is None:
      raise ValueError("a text tower that pools at the end of text needs its id: give end, or choose pool='last_real'")
    self.vocabulary, self.width, self.depth, self.heads, self.hidden, self.length = vocabulary, width, depth, heads, hidden, length
    self.causal, self.pool, self.end, self.pad, self.activation, self.dropout = causal, pool, end, pad, activation, dropout
    self.epsilon, self.remat, self.dtype, self.dim = epsilon, remat, dtype, out or width
    normal = nnx.initializers.normal(std)
    self.word = nnx.Param(normal(rngs.params(), (vocabulary, width)))
    self.positions = nnx.Param(normal(rngs.params(), (length, width)))
    options = dict(hidden=hidden, dropout=dropout, attention_dropout=dropout, causal=causal, activation=activation, std=std)
    options |= dict(heads=heads, epsilon=epsilon, dtype=dtype)
    self.blocks = stacked(lambda rngs: Block(width, rngs=rngs, **options), depth, rescale='depth', rngs=rngs)
    self.norm = LayerNorm(width, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.out = None if out is None else nnx.Linear(width, out, kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.cls = nnx.Param(normal(rngs.params(), (width,))) if pool == 'cls' else None

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Features:
    """Encodes token ids.

    Args:
      x: [b n] int.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d], normalised (not where `pool` is 'cls'), pooled [b dim], normalised, and layers [l+1 b n d], the states from the
      embedding to the last block.
    """
    n, mask = x.shape[1], None
    h = (look_up(self.word[...], x) + self.positions[...][:n]).astype(self.dtype)
    if self.cls is not None:  # at the end, where tokens do not attend to it if they are causal
      h = jnp.concatenate([h, jnp.broadcast_to(self.cls[...].astype(h.dtype), (len(h), 1, h.shape[2]))], 1)
      mask = jnp.pad(self.attended(x), [(0, 0), (0, 1)], constant_values=True)
    h = dropout(h, None if keys is None else fold(keys, 0), self.dropout)
    y, layers = scan(self.blocks, h, mask=mask, keys=None if keys is None else fold(keys, 1), remat=self.remat)
    tokens, layers = y[:, :n], jnp.concatenate([h[None], layers])[:, :, :n]
    if self.cls is None:
      tokens = self.norm(tokens)
      pooled = tokens[jnp.arange(len(y)), self.ends(x)]
    else:
      pooled = self.norm(y[:, n])
    return Features(tokens, pooled if self.out is None else self.out(pooled), layers)

  def ends(self, x: Array) -> Array:
    """[b n] ids -> [b], the position of the pooled token; the first one if a text has no end."""
    match self.pool:
      case 'end':
        return jnp.argmax(x == self.end, 1)
      case 'largest':
        return jnp.argmax(x, 1)
      case 'last_real':
        return jnp.max(jnp.where(self._real(x), jnp.arange(x.shape[1]), 0), 1)
    return jnp.full(len(x), x.shape[1] - 1)

  def attended(self, x: Array) -> Array:
    """[b n] ids -> [b n] bool, True where not padding: the tokens up to the one that is pooled, and those that a class token attends to."""
    return self._real(x) if self.pool == 'cls' else jnp.arange(x.shape[1]) <= self.ends(x)[:, None]

  def _real(self, x: Array) -> Array:
    return jnp.ones(x.shape, bool) if self.pad is None else x != self.pad

  @property
  def table(self) -> Array:
    """[v d], the token embeddings."""
    return self.word[...]
