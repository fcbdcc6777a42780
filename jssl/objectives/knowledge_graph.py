"""Losses of knowledge graphs, which rank true triples above false ones by scores as in `jssl.ops.triple_scores`."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jssl.types import Array


def margin_ranking(positive: Float[Array, ' b'], negatives: Float[Array, 'b k'], *, margin: float = 1.0) -> Float[Array, ' b']:
  """Margin ranking loss: true triples score above false ones by a margin.

  l_i = mean_k max(0, margin - s_i + s_ik)

  Args:
    positive: [b] scores of true triples.
    negatives: [b k] scores of corrupted triples for each.
    margin: difference of scores.

  Returns:
    [b].

  Reference: Yang, Yih, He, Gao, Deng 2015, arXiv:1412.6575, section 3, which sums over the triples; margin 1.
  """
  return jnp.mean(jax.nn.relu(margin - _float(positive)[:, None] + _float(negatives)), 1)


def self_adversarial(
  positive: Float[Array, ' b'],
  negatives: Float[Array, 'b k'],
  *,
  weight: Float[Array, ' b'] | None = None,
  margin: float = 9.0,
  adversarial_temperature: float = 1.0,
) -> Float[Array, ' b']:
  """Logistic loss with false triples weighted by their plausibility under the model.

  l_i = -1/2 log sigmoid(margin + s_i) - 1/2 sum_k p_ik log sigmoid(-margin - s_ik),   p_i = softmax_k(alpha s_ik)

  Args:
    positive: [b] scores of true triples, at most 0 for distances.
    negatives: [b k] scores of corrupted triples for each.
    weight: [b] weights of the triples, above 0; l_i is multiplied by b weight_i / sum weight. None for equal weights.
    margin: gamma; 0 for scores that are not distances.
    adversarial_temperature: alpha; 0 for equal weights.

  Returns:
    [b] nats.

  Reference: Sun, Deng, Nie, Tang 2019, arXiv:1902.10197, Eq. 5 and 6; the halves and the weights of triples are those of the official code,
  which adds the margin to the score itself. Stop-gradient on p.
  """
  positive, negatives = _float(positive) + margin, _float(negatives) + margin
  p = jax.lax.stop_gradient(jax.nn.softmax(adversarial_temperature * negatives, axis=1))
  loss = (jax.nn.softplus(-positive) + jnp.sum(p * jax.nn.softplus(negatives), 1)) / 2
  return loss if weight is None else loss * weight / jnp.mean(weight)


def _float(x: Array) -> Array:
  return x.astype(jnp.float32)


def square_norm(x: Float[Array, '...']) -> Float[Array, '']:
  """The sum of squares, for a penalty on parameters: l = sum x^2.

  Args:
    x: [...] an array of any shape.

  Returns:
    A scalar.

  Reference: Yang, Yih, He, Gao, Deng 2015, arXiv:1412.6575, section 4, the regularisation of relations.
  """
  return jnp.sum(jnp.square(x.astype(jnp.float32)))
