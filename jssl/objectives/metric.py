"""Metric learning: prototypes of classes, and triplets."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from jssl.ops.look_up import one_a_row
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def prototypical(z: Float[Array, 'b m d']) -> Float[Array, ' b']:
  """Softmax over the squared distances of a query to the classes' prototypes.

  l_i = -log softmax_c( -|z_i1 - mean_{m > 1} z_cm|^2 )_i

  Args:
    z: [b m d] embeddings, at least 2 per class: the first is the query. Not normalised.

  Returns:
    [b] nats.

  Reference: Snell, Swersky, Zemel 2017, arXiv:1703.05175, Eq. 2; Chung et al. 2020, arXiv:2003.11982, section 2.2.
  """
  z = z.astype(jnp.float32)
  query, prototype = z[:, 0], jnp.mean(z[:, 1:], 1)
  return own_class(-_square_distance(query, prototype))


def angular_prototypical(z: Float[Array, 'b m d'], *, scale: float = 10.0) -> Float[Array, ' b']:
  """Softmax over the scaled cosines of a query to the classes' prototypes.

  l_i = -log softmax_c( w cos(z_i1, mean_{m > 1} z_cm) )_i

  Args:
    z: [b m d] embeddings, at least 2 per class: the first is the query.
    scale: w, in the paper learned from an initial 10 and kept above 0; the paper's bias cancels in the softmax.

  Returns:
    [b] nats.

  Reference: Chung et al. 2020, arXiv:2003.11982, section 2.2. Prototypes are means of unnormalised embeddings.
  """
  query, prototype = l2_normalize(z[:, 0]), l2_normalize(jnp.mean(z[:, 1:].astype(jnp.float32), 1))
  return own_class(jnp.maximum(scale, 1e-6) * jnp.matmul(query, prototype.T, precision='highest'))


def ge2e(z: Float[Array, 'b m d'], *, scale: float = 10.0) -> Float[Array, ' b']:
  """Generalised end-to-end loss: every example is a query, and left out of the prototype of its own class.

  l_i = mean_m -log softmax_c( w cos(z_im, c_c) )_i,   c_c = mean_n z_cn, for c = i mean_{n != m} z_in

  Args:
    z: [b m d] embeddings, at least 2 per class.
    scale: w, in the paper learned from an initial 10 and kept above 0; the paper's bias cancels in the softmax.

  Returns:
    [b] nats.

  Reference: Wan, Wang, Papir, Lopez Moreno 2018, arXiv:1710.10467, section 2; Chung et al. 2020,
  arXiv:2003.11982, section 2.2, whose official code clips cosines below 1e-6.
  """
  z = z.astype(jnp.float32)
  b, m, _ = z.shape
  total = jnp.sum(z, 1)
  query = l2_normalize(z)
  own = jnp.sum(query * l2_normalize((total[:, None] - z) / (m - 1)), -1)
  cosine = jnp.einsum('bmd,cd->bmc', query, l2_normalize(total / m), precision='highest')
  logits = jnp.maximum(scale, 1e-6) * jnp.where(jnp.eye(b, dtype=bool)[:, None], own[..., None], cosine)
  return jnp.mean(jax.nn.logsumexp(logits, 2) - jnp.maximum(scale, 1e-6) * own, 1)


def triplet(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  margin: float = 0.2,
  weights: Float[Array, 'b b'] | None = None,
  hardest: int = 1,
  hard: float = 1.0,
  ids: Int[Array, ' b'] | None = None,
) -> Float[Array, ' b']:
  """Triplet loss: a positive must be closer than negatives by a margin, in squared distance on the sphere.

  l_i = sum_j w_ij max(0, |q_i - k_i|^2 - |q_i - k_j|^2 + margin)

  Args:
    q: [b d] anchors.
    k: [b d] positives; those of other rows are the negatives.
    margin: in squared distance, from 0 to 4.
    weights: [b b] w, a miner's weights of the negatives; None for weight `hard` on the hardest, the rest evenly on all negatives.
    hardest: number of hardest negatives that share the weight `hard` evenly.
    hard: their weight, from 0 to 1.
    ids: [b] integers; rows of equal id are not negatives of each other.

  Returns:
    [b]; 0 without negatives.

  Reference: Schroff, Kalenichenko, Philbin 2015, arXiv:1503.03832, section 3; Chung et al. 2020, arXiv:2003.11982,
  section 2.2. No gradient through the choice of the negative. The official code of the latter draws one negative, with a probability
  among the hardest and else among all; `hard` and `hardest` give the mean over these draws.
  """
  ids = one_a_row(ids, 'ids')
  q, k = l2_normalize(q), l2_normalize(k)
  ids = jnp.arange(len(q)) if ids is None else ids
  other = ids[:, None] != ids
  distance = 2 - 2 * jnp.matmul(q, k.T, precision='highest')
  if weights is None:
    rank = jnp.argsort(jnp.argsort(jnp.where(other, jax.lax.stop_gradient(distance), jnp.inf), 1), 1)
    count = jnp.maximum(jnp.sum(other, 1, keepdims=True), 1)
    few = jnp.minimum(hardest, count)
    weights = hard * (rank < few) / few + (1 - hard) / count
  hinge = jax.nn.relu(jnp.diagonal(distance)[:, None] - distance + margin)
  return jnp.sum(jnp.where(other, weights * hinge, 0), 1)


def euclidean_triplet(
  anchor: Float[Array, 'b d'], positive: Float[Array, 'b d'], negative: Float[Array, 'b d'], *, margin: float = 1.0
) -> Float[Array, ' b']:
  """Triplet loss: the positive must be closer than the negative by a margin, in Euclidean distance.

  l_i = max(0, |q_i - p_i| - |q_i - n_i| + margin)

  Args:
    anchor: [b d] q, not normalised.
    positive: [b d] p.
    negative: [b d] n.
    margin: difference of distances.

  Returns:
    [b].

  Reference: Cohan, Feldman, Beltagy, Downey, Weld 2020, arXiv:2004.07180, Eq. 1, margin 1; Schroff, Kalenichenko, Philbin
  2015, arXiv:1503.03832, section 3, with squared distances.
  """
  q, p, n = (x.astype(jnp.float32) for x in (anchor, positive, negative))
  return jax.nn.relu(_distance(q, p) - _distance(q, n) + margin)


def _distance(x: Array, y: Array) -> Array:
  """|x - y| along the last axis, with gradient 0 where they are equal."""
  square = jnp.sum((x - y) ** 2, -1)
  return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def own_class(logits: Float[Array, 'b b']) -> Float[Array, ' b']:
  return jax.nn.logsumexp(logits, 1) - jnp.diagonal(logits)


def _square_distance(x: Array, y: Array) -> Array:
  inner = jnp.matmul(x, y.T, precision='highest')
  return jnp.sum(x * x, -1)[:, None] - 2 * inner + jnp.sum(y * y, -1)
