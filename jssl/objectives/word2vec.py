"""Objectives of word vectors. Arguments are vectors, not normalised; no gradient is stopped."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Num

from jssl.types import Array


def sgns(centre: Float[Array, 'b d'], context: Float[Array, 'b d'], negatives: Float[Array, 'b k d']) -> Float[Array, ' b']:
  """Skip-gram with negative sampling: a word of the context against random words.

  l_i = -log sigmoid(u_i.v_i) - sum_k log sigmoid(-n_ik.v_i)

  Args:
    centre: [b d] v, input vectors of the words.
    context: [b d] u, output vectors of words near them.
    negatives: [b k d] n, output vectors of words drawn in proportion to frequency^(3/4).

  Returns:
    [b] nats.

  Reference: Mikolov, Sutskever, Chen, Corrado, Dean 2013, arXiv:1310.4546, Eq. 4; k from 5 to 20 for small data.
  """
  return _negative_sampling(centre.astype(jnp.float32), context, negatives)


def cbow(
  context: Float[Array, 'b c d'], target: Float[Array, 'b d'], negatives: Float[Array, 'b k d'], *, mask: Bool[Array, 'b c'] | None = None
) -> Float[Array, ' b']:
  """Continuous bag of words, with negative sampling: predicts a word from the mean of its context.

  l_i = -log sigmoid(u_i.h_i) - sum_k log sigmoid(-n_ik.h_i),   h_i = mean_c v_ic

  Args:
    context: [b c d] v, input vectors of the context words.
    target: [b d] u, output vectors of the centre words.
    negatives: [b k d] n, output vectors of random words.
    mask: [b c] false beyond the ends of a sentence or of a shortened window; None for all.

  Returns:
    [b] nats.

  Reference: Mikolov, Chen, Corrado, Dean 2013, arXiv:1301.3781, section 3.1, with the negative sampling of Mikolov,
  Sutskever, Chen, Corrado, Dean 2013, arXiv:1310.4546, Eq. 4.
  """
  return _negative_sampling(_context_mean(context.astype(jnp.float32), mask), target, negatives)


def position_weighted_cbow(
  context: Float[Array, 'b c d'],
  position: Float[Array, 'c d'],
  target: Float[Array, 'b d'],
  negatives: Float[Array, 'b k d'],
  *,
  mask: Bool[Array, 'b c'] | None = None,
) -> Float[Array, ' b']:
  """Continuous bag of words in which every position of the window has a learned vector of weights.

  l_i = -log sigmoid(u_i.h_i) - sum_k log sigmoid(-n_ik.h_i),   h_i = mean_c p_c * v_ic

  Args:
    context: [b c d] v, input vectors of the context words, subword vectors included, in order of position.
    position: [c d] p, the weights of the positions.
    target: [b d] u, output vectors of the centre words.
    negatives: [b k d] n, output vectors of random words, drawn in proportion to frequency^(1/2) in fastText.
    mask: [b c] false beyond the ends of a sentence or of a shortened window; None for all.

  Returns:
    [b] nats.

  Reference: Mikolov, Grave, Bojanowski, Puhrsch, Joulin 2018, arXiv:1712.09405, section 2, which sums over the
  window; Grave, Bojanowski, Gupta, Joulin, Mikolov 2018, arXiv:1802.06893, section 3. The mean and the sampling of negatives follow
  fastText.
  """
  weighted = context.astype(jnp.float32) * position.astype(jnp.float32)
  return _negative_sampling(_context_mean(weighted, mask), target, negatives)


def hierarchical_softmax(h: Float[Array, 'b d'], nodes: Float[Array, 'b l d'], *, turns: Num[Array, 'b l']) -> Float[Array, ' b']:
  """Negative log-likelihood of a word as a path from the root of a binary tree.

  l_i = -sum_l log sigmoid(s_il u_il.h_i)

  Args:
    h: [b d] a word's vector, or the mean of its context.
    nodes: [b l d] u, vectors of the inner nodes on the path to the word, padded to the longest path.
    turns: [b l] s, 1 for one child and -1 for the other, 0 for padding.

  Returns:
    [b] nats.

  Reference: Mikolov, Sutskever, Chen, Corrado, Dean 2013, arXiv:1310.4546, Eq. 3.
  """
  inner = jnp.einsum('bld,bd->bl', nodes.astype(jnp.float32), h.astype(jnp.float32), precision='highest')
  return jnp.sum(jnp.where(turns != 0, jax.nn.softplus(-turns * inner), 0), 1)


def _negative_sampling(h: Array, target: Array, negatives: Array) -> Array:
  positive = jnp.sum(h * target.astype(jnp.float32), -1)
  negative = jnp.einsum('bkd,bd->bk', negatives.astype(jnp.float32), h, precision='highest')
  return jax.nn.softplus(-positive) + jnp.sum(jax.nn.softplus(negative), 1)


def _context_mean(context: Array, mask: Array | None) -> Array:
  if mask is None:
    return jnp.mean(context, 1)
  return jnp.sum(jnp.where(mask[..., None], context, 0), 1) / jnp.maximum(jnp.sum(mask, 1, keepdims=True), 1)
