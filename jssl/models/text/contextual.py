"""A BERT that reads a text together with vectors of its corpus."""

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.text.bert import Bert
from jssl.ops.pooling import masked_mean
from jssl.types import Array, Features, Keys, fold


class ContextualBert(Bert):
  """A `Bert` over [m_1, ..., m_J, E(x_1), ..., E(x_T)], where m are the vectors of J documents, without order.

  pooled = mean_t H_t over the tokens of the text. The vectors have no position embedding. In training, each is replaced by a learned vector
  with a small probability; this vector also replaces a missing context.

  Args:
    on, vocabulary, pad, dtype, rngs: as in `Bert`, as are further options; `pool` is ignored.
    contexts: J, number of vectors of a missing context.
    null: probability that a vector is replaced by the learned one.

  Reference: Morris, Rush, ICLR 2025, arXiv:2410.02525, section 4.2. The official code adds eight learned tokens between context and text, and a
    residual head after the mean, which are not in the paper, and are omitted here.
  """

  def __init__(
    self, on, *, contexts: int, vocabulary: int, null: float = 0.005, pad: int | None = 0, dtype: str = 'float32', rngs: nnx.Rngs, **bert
  ):
    super().__init__(on, vocabulary=vocabulary, pad=pad, dtype=dtype, rngs=rngs, **bert)
    self.contexts, self.null_rate = contexts, null
    self.null = nnx.Param(nnx.initializers.normal(0.01)(rngs.params(), (self.dim,)))

  def __call__(self, x: Array, *, context: Array | None = None, keys: Keys | None = None) -> Features:
    """Encodes token ids.

    Args:
      x: [b n] int.
      context: [J d], the same for all texts, or [b J d]; None for the learned vector J times.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d], pooled [b d] and layers [l+1 b n d], without the positions of the context.
    """
    null = self.null[...]
    context = jnp.broadcast_to(null, (self.contexts, self.dim)) if context is None else context
    context = jnp.broadcast_to(context, (len(x), *context.shape[-2:]))
    if keys is not None:
      gone = jax.vmap(lambda key: jax.random.bernoulli(key, self.null_rate, context.shape[1:2]))(fold(keys, self.depth + 1))
      context = jnp.where(gone[..., None], null, context)
    j, real = context.shape[1], self.attended(x)
    both = jnp.concatenate([context.astype(self.word.dtype), self.embed(x, keys=keys)], 1)
    found = self.encode(both, jnp.concatenate([jnp.ones(context.shape[:2], bool), real], 1), keys=keys)
    tokens = found.tokens[:, j:]
    return Features(tokens, masked_mean(tokens, real), found.layers[:, :, j:])
