"""Contrastive objectives: the positive of an example against negatives.

Embeddings are normalised to unit length, except where noted, and everything is computed in float32. Rows of equal `ids` are never negatives
of each other; without `ids` all rows are distinct. An anchor without negatives has a finite loss and gradient. Gradients are only stopped
where noted: keys from a target encoder come without one.

The similarities of all pairs form a table that is quadratic in the batch size. With `chunk` it is computed in chunks of rows, and
recomputed in the backward pass, so that memory is linear in the batch size; on several devices chunks are also passed around a ring.
Results are the same (`jssl.ops.pairwise`).
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, Shaped

from jssl.ops.look_up import one_a_row
from jssl.ops.normalize import l2_normalize
from jssl.ops.pairwise import EMPTY, LOG_SUM_EXP, SUM_SOFTPLUS, SUM_SQUARE, Rows, nearest, over_candidates, unlike
from jssl.types import Array


def nt_xent(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, temperature: float = 0.5, ids: Int[Array, ' b'] | None = None, chunk: int | None = None
) -> Float[Array, ' b']:
  """The normalised, temperature-scaled cross entropy of SimCLR, for the anchors q.

  l_i = -log [ exp(q_i.k_i/tau) / (exp(q_i.k_i/tau) + sum_{j != i} exp(q_i.q_j/tau) + exp(q_i.k_j/tau)) ]

  The paper's loss over all 2b anchors is the mean of nt_xent(z1, z2) and nt_xent(z2, z1).

  Args:
    q: [b d] anchors.
    k: [b d] their positives; with the other anchors also the negatives.
    temperature: tau, 0.1 to 0.5 in the paper.
    ids: [b] integers; rows of equal id are not negatives of each other.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b] nats.

  Reference: Chen, Kornblith, Norouzi, Hinton 2020, arXiv:2002.05709, Eq. 1 and Algorithm 1. The official code adds
  the means of the two directions; the paper's L averages them.
  """
  ids = one_a_row(ids, 'ids')
  q, k = as_float32(q, k)
  others = _log_sum_exp_others(q, k, own_pairs(ids, q), temperature, chunk)
  return jax.nn.softplus(others - _cosine(q, k) / temperature)


def info_nce(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  negatives: Float[Array, 'b c d'] | None = None,
  temperature: float = 0.07,
  ids: Int[Array, ' b'] | None = None,
  chunk: int | None = None,
) -> Float[Array, ' b']:
  """InfoNCE: cross entropy of identifying k_i among all keys of the batch, in one direction.

  l_i = -log [ exp(q_i.k_i/tau) / (sum_j exp(q_i.k_j/tau) + sum_m exp(q_i.n_m/tau)) ]

  CLIP's loss is the mean of info_nce(q, k) and info_nce(k, q), with a learned temperature.

  Args:
    q: [b d] queries.
    k: [b d] keys; k_i is the positive of q_i.
    negatives: [b c d] hard negatives of each query, used as negatives of all queries; None for none.
    temperature: tau; a traced scalar where it is learned.
    ids: [b] integers; rows of equal id are not negatives of each other.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b] nats.

  Reference: van den Oord, Li, Vinyals 2018, arXiv:1807.03748, Eq. 4; Radford et al. 2021, arXiv:2103.00020, Figure 3
  (CLIP, tau at least 0.01); Chen, Xie, He 2021, arXiv:2104.02057, Eq. 1 and Algorithm 1 (MoCo v3, tau = 0.2). MoCo v3
  multiplies by 2 tau and adds its two directions: a weight of 4 tau on their mean. Hard negatives shared by the batch: Karpukhin et
  al. 2020, arXiv:2004.04906, section 3.2; Wang et al. (SimLM) 2022, arXiv:2207.02578, section 3.2, tau = 0.02, whose official code
  adds the batch's other queries and the similarities of passages to the denominator.
  """
  ids = one_a_row(ids, 'ids')
  q, k, ids = *as_float32(q, k), own_pairs(ids, q)
  keys, key_ids = k, ids
  if negatives is not None:
    further = negatives.astype(jnp.float32).reshape(-1, k.shape[-1])
    keys, key_ids = jnp.concatenate([k, further]), jnp.concatenate([ids, jnp.full(len(further), jnp.min(ids) - 1)])
  return jax.nn.softplus(log_sum_exp_of(q, keys, ids, key_ids, temperature, chunk) - _cosine(q, k) / temperature)


def filtered_info_nce(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  surrogate_q: Float[Array, 'b e'],
  surrogate_k: Float[Array, 'b e'],
  temperature: float = 0.02,
  margin: float = 0.0,
) -> Float[Array, ' b']:
  """`info_nce` without the keys that a surrogate g rates at least as similar as the positive.

  l_i = -log [ exp(q_i.k_i/tau) / sum_{j in N(i)} exp(q_i.k_j/tau) ],   N(i) = {i} and {j: g(q_i).g(k_j) < g(q_i).g(k_i) + eps}

  Args:
    q: [b d] queries.
    k: [b d] keys; k_i is the positive of q_i.
    surrogate_q: [b e] g of the queries, scaled to unit length here.
    surrogate_k: [b e] g of the keys, likewise.
    temperature: tau.
    margin: eps.

  Returns:
    [b] nats.

  Reference: Morris, Rush, ICLR 2025, arXiv:2410.02525, section 4.1, on false negatives (eps = 0); one way and with a fixed tau = 0.02 by
  the official code (`logit_scale` 50). Stop-gradient on the surrogate.
  """
  (q, k), g = as_float32(q, k), jax.lax.stop_gradient(_table(*as_float32(surrogate_q, surrogate_k)))
  scores, own = _table(q, k) / temperature, jnp.eye(len(q), dtype=bool)
  others = jnp.where(~own & (g < jnp.diagonal(g)[:, None] + margin), scores, EMPTY)
  return jax.nn.softplus(jax.nn.logsumexp(others, 1) - jnp.diagonal(scores))


def _table(q: Array, k: Array) -> Array:
  return jnp.matmul(l2_normalize(q), l2_normalize(k).T, precision='highest')


def in_batch_softmax(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, ids: Int[Array, ' b'] | None = None) -> Float[Array, ' b']:
  """Cross entropy of identifying k_i in the batch by inner products, without normalisation or temperature.

  l_i = -log [ exp(q_i.k_i) / sum_j exp(q_i.k_j) ]

  Args:
    q: [b d] inputs.
    k: [b d] responses; k_i belongs to q_i.
    ids: [b] integers; rows of equal id are not negatives of each other.

  Returns:
    [b] nats.

  Reference: Yang et al. 2018, arXiv:1804.07754, section 2 (input and response); Cer et al. 2018, arXiv:1803.11175, section 3.
  """
  ids = one_a_row(ids, 'ids')
  q, k = as_float32(q, k)
  others = False if ids is None else (ids[:, None] == ids) & ~jnp.eye(len(q), dtype=bool)
  scores = jnp.where(others, -1e30, jnp.matmul(q, k.T, precision='highest'))
  return jax.nn.logsumexp(scores, 1) - jnp.diagonal(scores)


def info_nce_queue(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  negatives: Float[Array, 'm d'],
  temperature: float = 0.07,
  ids: Int[Array, ' b'] | None = None,
  negative_ids: Int[Array, ' m'] | None = None,
  chunk: int | None = None,
) -> Float[Array, ' b']:
  """Cross entropy of identifying k_i against a queue of earlier keys.

  l_i = -log [ exp(q_i.k_i/tau) / (exp(q_i.k_i/tau) + sum_m exp(q_i.n_m/tau)) ]

  Args:
    q: [b d] queries.
    k: [b d] keys; k_i is the positive of q_i.
    negatives: [m d] the queue.
    temperature: tau.
    ids: [b] integers, given together with `negative_ids`.
    negative_ids: [m] integers; entries with the id of the anchor are left out.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b] nats.

  Raises:
    ValueError: if only one of `ids` and `negative_ids` is given.

  Reference: He, Fan, Wu, Xie, Girshick 2020, arXiv:1911.05722, Eq. 1 and Algorithm 1 (tau = 0.07); Chen, Fan,
  Girshick, He 2020, arXiv:2003.04297 (MoCo v2, tau = 0.2). Keys and queue come from the momentum encoder and carry no
  gradient.
  """
  q, k, negatives = as_float32(q, k, negatives)
  if ids is None and negative_ids is None:
    ids, negative_ids = jnp.zeros(len(q), jnp.int32), jnp.ones(len(negatives), jnp.int32)
  if ids is None or negative_ids is None:
    raise ValueError('info_nce_queue compares ids with negative_ids: give both or neither')
  others = log_sum_exp_of(q, negatives, ids, negative_ids, temperature, chunk)
  return jax.nn.softplus(others - _cosine(q, k) / temperature)


def sup_con(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, labels: Int[Array, ' b'], temperature: float = 0.1, chunk: int | None = None
) -> Float[Array, ' b']:
  """Supervised contrastive loss, for the anchors q: the mean log-likelihood of all rows of the anchor's class.

  l_i = -1/|P(i)| sum_{p in P(i)} log [ exp(q_i.z_p/tau) / sum_{a in A(i)} exp(q_i.z_a/tau) ]

  A(i) are all rows of q and k except q_i, and P(i) those of A(i) with the label of i; k_i is always among them. The
  paper's loss over all 2b anchors is the mean of sup_con(q, k) and sup_con(k, q).

  Args:
    q: [b d] anchors.
    k: [b d] the other view.
    labels: [b] integers.
    temperature: tau.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b] nats.

  Reference: Khosla et al. 2020, arXiv:2004.11362, Eq. 2 (L_out), tau = 0.1. The official code multiplies by
  tau/0.07.
  """
  labels = one_a_row(labels, 'labels')
  q, k = as_float32(q, k)
  each, u, v = jnp.arange(len(q)), _inverse_length(q), _inverse_length(k)
  anchors, own, other = Rows(q, each, u / temperature, labels), Rows(None, each, u, labels), Rows(k, each + len(q), v, labels)
  return over_candidates(LOG_SUM_EXP, anchors, own, other, chunk=chunk)


def nnclr(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  support: Float[Array, 'm d'],
  temperature: float = 0.1,
  ids: Int[Array, ' b'] | None = None,
  chunk: int | None = None,
) -> Float[Array, ' b']:
  """InfoNCE with the nearest neighbour of the key in a support set as the anchor.

  l_i = -log [ exp(NN(k_i).q_i/tau) / sum_j exp(NN(k_i).q_j/tau) ],   NN(z) = argmax_{s in support} z.s

  Args:
    q: [b d] predictions of one view; the gradient flows through all of them.
    k: [b d] embeddings of the other view; only used for the search.
    support: [m d] earlier embeddings.
    temperature: tau.
    ids: [b] integers; rows of equal id are not negatives of each other.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b] nats.

  Reference: Dwibedi, Aytar, Tompson, Sermanet, Zisserman 2021, arXiv:2104.14548, section 3.2 and Algorithm 1
  (tau = 0.1). Stop-gradient on the neighbour.
  """
  ids = one_a_row(ids, 'ids')
  k, support = jax.lax.stop_gradient((l2_normalize(k), l2_normalize(support)))
  neighbours = support[nearest(k, support, chunk=chunk)]
  return info_nce(neighbours, q, temperature=temperature, ids=ids, chunk=chunk)


def dcl(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  temperature: float = 0.1,
  sigma: float | None = None,
  ids: Int[Array, ' b'] | None = None,
  chunk: int | None = None,
) -> Float[Array, ' b']:
  """NT-Xent without the positive in the denominator, for the anchors q.

  l_i = -w_i q_i.k_i/tau + log sum_{j != i} [ exp(q_i.q_j/tau) + exp(q_i.k_j/tau) ]
  w_i = 1, or with `sigma` 2 - exp(q_i.k_i/sigma) / mean_j exp(q_j.k_j/sigma)

  Args:
    q: [b d] anchors.
    k: [b d] their positives.
    temperature: tau.
    sigma: width of the negative von Mises-Fisher weights (DCLW, 0.5 in the paper); None for plain DCL.
    ids: [b] integers; rows of equal id are not negatives of each other.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b] nats; the second summand is left out where there are no negatives.

  Reference: Yeh, Hong, Hsu, Liu, Chen, LeCun 2022, arXiv:2110.06848, Eq. 6, and section 3 for the weights.
  Stop-gradient on w, without which a close pair would be pushed apart.
  """
  ids = one_a_row(ids, 'ids')
  q, k = as_float32(q, k)
  similarity = _cosine(q, k)
  weight = 1.0 if sigma is None else 2 - len(q) * jax.lax.stop_gradient(jax.nn.softmax(similarity / sigma))
  others = _log_sum_exp_others(q, k, own_pairs(ids, q), temperature, chunk)
  return jnp.where(others > EMPTY / 2, others, 0) - weight * similarity / temperature


def debiased(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  temperature: float = 0.5,
  tau_plus: float = 0.1,
  ids: Int[Array, ' b'] | None = None,
  chunk: int | None = None,
) -> Float[Array, ' b']:
  """NT-Xent with the share of false negatives subtracted, for the anchors q.

  l_i = -log [ e^{q_i.k_i/t} / (e^{q_i.k_i/t} + N g_i) ]
  g_i = max( (mean_n e^{q_i.n/t} - tau_plus e^{q_i.k_i/t}) / (1 - tau_plus), e^{-1/t} )

  n runs over the N = 2b - 2 rows of q and k of other examples.

  Args:
    q: [b d] anchors.
    k: [b d] their positives.
    temperature: t.
    tau_plus: the probability that another example is of the anchor's class; 0 gives NT-Xent.
    ids: [b] integers; rows of equal id are not negatives of each other.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b] nats.

  Reference: Chuang, Robinson, Lin, Torralba, Jegelka 2020, arXiv:2007.00224, section 4, with M = 1 positive sample.
  """
  q, k, ids = *as_float32(q, k), own_pairs(ids, q)
  positive, others = _cosine(q, k) / temperature, _log_sum_exp_others(q, k, ids, temperature, chunk)
  n = 2 * unlike(ids)
  top = jax.lax.stop_gradient(jnp.maximum(positive, others))
  e = jnp.exp(positive - top)
  g = (jnp.exp(others - top) - tau_plus * n * e) / (1 - tau_plus)
  return jnp.log(e + jnp.maximum(g, n * jnp.exp(-1 / temperature - top))) + top - positive


def siglip(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  t_prime: float = math.log(10.0),
  bias: float = -10.0,
  ids: Int[Array, ' b'] | None = None,
  chunk: int | None = None,
) -> Float[Array, ' b']:
  """Pairwise sigmoid loss: binary classification of every pair of the batch as match or not.

  l_i = -sum_j log sigmoid( z_ij (exp(t') q_i.k_j + b) ),   z_ij = 1 for i = j and -1 otherwise

  Args:
    q: [b d] embeddings of one side.
    k: [b d] embeddings of the other side; k_i matches q_i.
    t_prime: the logarithm of the inverse temperature; a traced scalar where it is learned.
    bias: b, learned likewise; starts low since nearly all pairs do not match.
    ids: [b] integers; other pairs of equal id are left out.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b] nats.

  Reference: Zhai, Mustafa, Kolesnikov, Beyer 2023, arXiv:2303.15343, Algorithm 1; t' = log 10 and b = -10 at the
  start. The formula in the text has -b where the algorithm and the official code have b, as here.
  """
  ids = one_a_row(ids, 'ids')
  q, k, ids = *as_float32(q, k), own_pairs(ids, q)
  t = jnp.exp(t_prime)
  anchors, candidates = Rows(q, ids, t * _inverse_length(q)), Rows(k, ids, _inverse_length(k))
  no_match = over_candidates(SUM_SOFTPLUS, anchors, candidates, shift=bias, chunk=chunk)
  return no_match + jax.nn.softplus(-t * _cosine(q, k) - bias)


def spectral_contrastive(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, mu: float | None = None, ids: Int[Array, ' b'] | None = None, chunk: int | None = None
) -> Float[Array, ' b']:
  """Spectral contrastive loss: a low-rank factorisation of the graph of augmentations, without temperature.

  l_i = -2 q_i.k_i + mean_{j != i} (q_i.k_j)^2

  The embeddings are not normalised. With `mu`, those longer than sqrt(mu) are scaled to that length and l is divided by mu.

  Args:
    q: [b d] embeddings of one view.
    k: [b d] embeddings of the other view.
    mu: the square of the maximum length; None for no bound.
    ids: [b] integers; rows of equal id are not negatives of each other.
    chunk: rows of the table computed at a time; None for all.

  Returns:
    [b].

  Reference: HaoChen, Wei, Gaidon, Ma 2021, arXiv:2106.04156, section 3.2. The official code always bounds the
  length: mu = 1 for CIFAR-10, 10 for ImageNet.
  """
  q, k, ids = *as_float32(q, k), own_pairs(ids, q)
  u, v = _cut(q, mu), _cut(k, mu)
  square = over_candidates(SUM_SQUARE, Rows(q, ids, u), Rows(k, ids, v), chunk=chunk)
  loss = square / jnp.maximum(unlike(ids), 1) - 2 * u * v * _dot(q, k)
  return loss if mu is None else loss / mu


def log_sum_exp_of(
  q: Float[Array, 'b d'],
  candidates: Float[Array, 'm d'],
  ids: Int[Array, ' b'],
  candidate_ids: Int[Array, ' m'],
  temperature: float,
  chunk: int | None,
) -> Float[Array, ' b']:
  """log sum_{m: candidate_ids_m != ids_i} exp(cos(q_i, candidates_m) / temperature), [b]; EMPTY where there is no such m."""
  anchors = Rows(q, ids, _inverse_length(q) / temperature)
  return over_candidates(LOG_SUM_EXP, anchors, Rows(candidates, candidate_ids, _inverse_length(candidates)), chunk=chunk)


def _log_sum_exp_others(q: Array, k: Array, ids: Array, temperature: float, chunk: int | None) -> Array:
  """`log_sum_exp_of` over the rows of q and k of other examples, [b]."""
  u, v = _inverse_length(q), _inverse_length(k)
  return over_candidates(LOG_SUM_EXP, Rows(q, ids, u / temperature), Rows(None, ids, u), Rows(k, ids, v), chunk=chunk)


def own_pairs(ids: Int[Array, ' b'] | None, x: Float[Array, 'b d']) -> Int[Array, ' b']:
  return jnp.arange(len(x)) if ids is None else ids


def as_float32(*arrays: Shaped[Array, '...']) -> tuple[Float[Array, '...'], ...]:
  """Casts arrays to float32 once, so that gradients are summed in float32 too."""
  return tuple(x.astype(jnp.float32) for x in arrays)


def _dot(q: Array, k: Array) -> Array:
  return jnp.sum(q * k, -1)


def _cosine(q: Array, k: Array) -> Array:
  return _dot(q, k) * _inverse_length(q) * _inverse_length(k)


def _inverse_length(x: Array, eps: float = 1e-12) -> Array:
  """The factors by which `l2_normalize` scales the rows of x, [b]."""
  return jax.lax.rsqrt(jnp.sum(x * x, -1) + eps)


def _cut(x: Array, mu: float | None) -> Array:
  """The factors that scale longer rows of x to length sqrt(mu), and 1 for the others, [b]."""
  if mu is None:
    return jnp.ones(len(x))
  square = jnp.sum(x * x, -1)
  long = square > mu
  return jnp.where(long, jax.lax.rsqrt(jnp.where(long, square, 1) / mu), 1)
