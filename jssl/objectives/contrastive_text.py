"""Contrastive objectives of sentences."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jssl.ops.look_up import one_a_row
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def simcse(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  negatives: Float[Array, 'b d'] | None = None,
  valid: Bool[Array, ' b'] | None = None,
  temperature: float = 0.05,
  alpha: float = 0.0,
  ids: Int[Array, ' b'] | None = None,
) -> Float[Array, ' b']:
  """In-batch contrastive loss of sentences, each with an optional hard negative.

  l_i = -log [ e^{q_i.k_i/tau} / sum_j ( e^{q_i.k_j/tau} + e^{q_i.n_j/tau + alpha [i = j]} ) ]

  Args:
    q: [b d] sentences.
    k: [b d] the same sentences with other dropout, or sentences that they entail.
    negatives: [b d] n, sentences that contradict them; None for none.
    valid: [b] bool, False where there is no hard negative; None where all have one.
    temperature: tau.
    alpha: the logarithm of the weight of a sentence's own hard negative.
    ids: [b] integers; keys and hard negatives of another row of equal id are left out.

  Returns:
    [b] nats.

  Reference: Gao, Yao, Chen 2021, arXiv:2104.08821, Eq. 1, Eq. 5 and, for the weight, appendix; tau = 0.05. No
  stop-gradient. With centroids as negatives: Deng et al. (ClusterNS) 2023, arXiv:2305.09892, section 3.
  """
  ids = one_a_row(ids, 'ids')
  q, k, b = l2_normalize(q), l2_normalize(k), len(q)
  ids, own = jnp.arange(b) if ids is None else ids, jnp.eye(b, dtype=bool)
  keep = own | (ids[:, None] != ids)
  logits = jnp.where(keep, jnp.matmul(q, k.T, precision='highest') / temperature, -1e30)
  if negatives is not None:
    hard = jnp.matmul(q, l2_normalize(negatives).T, precision='highest') / temperature + alpha * own
    there = keep if valid is None else keep & valid
    logits = jnp.concatenate([logits, jnp.where(there, hard, -1e30)], 1)
  return jax.nn.logsumexp(logits, 1) - jnp.diagonal(logits)


def gist(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  guide_q: Float[Array, 'b e'],
  guide_k: Float[Array, 'b e'],
  negatives: Float[Array, 'b d'] | None = None,
  guide_negatives: Float[Array, 'b e'] | None = None,
  temperature: float = 0.01,
  margin: float = 0.0,
  ids: Int[Array, ' b'] | None = None,
) -> Float[Array, ' b']:
  """In-batch contrastive loss without the negatives that a guide rates more similar than the positive.

  l_i = -log [ e^{q_i.k_i/tau} / ( e^{q_i.k_i/tau} + sum_{(a, c) in N_i} e^{a.c/tau} ) ]

  N_i has (q_i, k_j), (q_i, q_j) and (k_i, k_j) of all other rows j, and (q_i, n_j) of all rows, except those with g(a).g(c) > g(q_i).g(k_i) -
  eps, where g is the guide.

  Args:
    q: [b d] anchors.
    k: [b d] their positives.
    guide_q: [b e] the guide's embeddings of the anchors.
    guide_k: [b e] of the positives.
    negatives: [b d] n, a hard negative of each anchor, used for all anchors; None for none.
    guide_negatives: [b e] of the hard negatives; given together with them.
    temperature: tau.
    margin: eps.
    ids: [b] integers; other rows of equal id are left out.

  Returns:
    [b] nats.

  Raises:
    ValueError: if only one of `negatives` and `guide_negatives` is given.

  Reference: Solatorio 2024, arXiv:2402.16829, section 3, tau = 0.01, and `GISTEmbedLoss` of sentence-transformers by its author, which has
  a row's own (q_i, q_i) among the negatives where the guide gives q_i and k_i the same embedding. Stop-gradient on the guide.
  """
  if (negatives is None) != (guide_negatives is None):
    raise ValueError('gist compares negatives with guide_negatives: give both or neither')
  ids, own = one_a_row(ids, 'ids'), jnp.eye(len(q), dtype=bool)
  apart = True if ids is None else own | (ids[:, None] != ids)
  most = jnp.diagonal(_cosines(guide_q, guide_k))[:, None] - margin
  tables = [(q, k, guide_q, guide_k, ~own), (q, q, guide_q, guide_q, ~own), (k, k, guide_k, guide_k, ~own)]
  if negatives is not None and guide_negatives is not None:
    tables.append((q, negatives, guide_q, guide_negatives, jnp.ones_like(own)))
  positive, scores = _cosines(q, k).diagonal()[:, None] / temperature, []
  for a, c, guide_a, guide_c, others in tables:
    kept = jax.lax.stop_gradient(_cosines(guide_a, guide_c) <= most)
    scores.append(jnp.where(kept & others & apart, _cosines(a, c) / temperature, -1e30))
  return jax.nn.logsumexp(jnp.concatenate([positive, *scores], 1), 1) - positive[:, 0]


def _cosines(a: Array, c: Array) -> Array:
  return jnp.matmul(l2_normalize(a), l2_normalize(c).T, precision='highest')


def bidirectional_margin(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, labels: Int[Array, ' b'], alpha: float = 0.2, beta: float = 0.5
) -> Float[Array, ' b']:
  """Keeps the similarity of false negatives between two margins below that of the positive.

  l_i = 1/b sum_{j in F(i)} relu(D_ij + alpha) + relu(-D_ij - beta),   D_ij = cos(q_i, k_j) - cos(q_i, k_i)

  F(i) are the other examples of the batch with the label of i, the false negatives of in-batch contrast. The loss is 0 where all have
  -beta <= D_ij <= -alpha.

  Args:
    q: [b d] anchors.
    k: [b d] the other view.
    labels: [b] integers, the clusters; an example with a negative label has no false negatives.
    alpha: the smaller margin.
    beta: the larger margin.

  Returns:
    [b].

  Reference: Deng, Wan, Yang, Quan, Wang 2023, arXiv:2305.09892, section 3 (bidirectional margin loss); alpha, beta and the weight
  differ by network in the released code: 0.2 and 0.5 with 1e-4 or 1e-5 in its scripts, 0 and 0.3 with 1e-3 for BERT in its table. The
  released code adds relu(alpha) for every pair outside F, which has no gradient; the sum over the batch is divided by b^2 there as here. No
  stop-gradient.
  """
  labels = one_a_row(labels, 'labels')
  cosine = jnp.matmul(l2_normalize(q), l2_normalize(k).T, precision='highest')
  false = (labels[:, None] == labels) & (labels[:, None] >= 0) & ~jnp.eye(len(q), dtype=bool)
  apart = cosine - jnp.diagonal(cosine)[:, None]
  return jnp.mean(jnp.where(false, jax.nn.relu(apart + alpha) + jax.nn.relu(-apart - beta), 0), 1)


def contrastive_tension(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, ratio: float = 7.0, ids: Int[Array, ' b'] | None = None
) -> Float[Array, ' b']:
  """Two independent encoders agree on a sentence and disagree on different ones, by their dot products.

  l_i = [ softplus(-q_i.k_i) + c mean_{j != i} softplus(q_i.k_j) ] / (1 + c)

  Args:
    q: [b d] sentences by one encoder, not normalised.
    k: [b d] the same sentences by the other.
    ratio: c, the number of pairs of different sentences per sentence.
    ids: [b] integers; other rows of equal id are left out.

  Returns:
    [b] nats.

  Reference: Carlsson, Gyllensten, Gogoulou, Ylipaa Hellqvist, Sahlgren, ICLR 2021 (Ov_sMNau-PF at OpenReview), section 3, c = 7; summarised
  by Wang, Reimers, Gurevych 2021, arXiv:2104.06979, section 4. The paper draws the pairs of different sentences; their mean over the batch,
  which is its expectation, has the same weight. No stop-gradient.
  """
  ids = one_a_row(ids, 'ids')
  dots = jnp.matmul(q.astype(jnp.float32), k.astype(jnp.float32).T, precision='highest')
  ids = jnp.arange(len(q)) if ids is None else ids
  others = ids[:, None] != ids
  apart = jnp.sum(jnp.where(others, jax.nn.softplus(dots), 0), 1) / jnp.maximum(jnp.sum(others, 1), 1)
  return (jax.nn.softplus(-jnp.diagonal(dots)) + ratio * apart) / (1 + ratio)


def self_guided(
  q: Float[Array, 'b d'],
  layers: Float[Array, 'b l d'],
  *,
  drift: Float[Array, ' b'] | None = None,
  anchor: float = 0.1,
  temperature: float = 0.01,
  ids: Int[Array, ' b'] | None = None,
) -> Float[Array, ' b']:
  """A sentence vector agrees with the layers of a fixed copy of the encoder, and the encoder stays near that copy.

  l_i = mean_m -log [ e^{q_i.h_im/tau} / ( e^{q_i.h_im/tau} + sum_{j != i, n} e^{q_i.h_jn/tau} ) ] + lambda r_i

  Args:
    q: [b d] sentence vectors.
    layers: [b l d] h, the layers of the copy for the same sentences, projected as q is.
    drift: [b] r, the squared distance of the parameters from those of the copy, equal for all; None for none.
    anchor: lambda.
    temperature: tau.
    ids: [b] integers; other rows of equal id are left out.

  Returns:
    [b] nats.

  Reference: Kim, Yoo, Lee, ACL 2021, arXiv:2106.07345, section 3 (SG-OPT and its regularisation); tau = 0.01 and lambda = 0.1 in training.py
  of the official code. Other sentence vectors, and other layers of the same sentence, are no negatives. The copy has no gradient, which the
  caller stops; the projection of its layers has.
  """
  ids = one_a_row(ids, 'ids')
  ids = jnp.arange(len(q)) if ids is None else ids
  scores = jnp.einsum('id,jld->ijl', l2_normalize(q), l2_normalize(layers), precision='highest') / temperature
  own = jnp.moveaxis(jnp.diagonal(scores), 0, 1)
  others = jax.nn.logsumexp(jnp.where((ids[:, None] != ids)[..., None], scores, -1e30), (1, 2))
  loss = jnp.mean(jax.nn.softplus(others[:, None] - own), 1)
  return loss if drift is None else loss + anchor * drift


def dclr(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  guide_q: Float[Array, 'b e'],
  guide_k: Float[Array, 'b e'],
  noise: Float[Array, 'm d'],
  temperature: float = 0.05,
  threshold: float = 0.9,
  steps: int = 4,
  step_size: float = 1e-3,
) -> Float[Array, ' b']:
  """In-batch contrastive loss without the negatives that a guide finds similar, and with noise as further negatives.

  l_i = -log [ e^{s(q_i, k_i)} / ( e^{s(q_i, k_i)} + sum_{j != i, g_ij < phi} e^{s(q_i, k_j)} + sum_m e^{s(q_i, n_m)} ) ]

  s = cos/tau, and g_ij is the cosine of the guide's embeddings of q_i and k_j. First the noise ascends the contrastive loss with all
  negatives, T times: n_m <- n_m + beta grad/|grad|.

  Args:
    q: [b d] sentences.
    k: [b d] the same sentences with other dropout.
    guide_q: [b e] the guide's embeddings of q.
    guide_k: [b e] of k.
    noise: [m d] samples of a standard normal distribution.
    temperature: tau.
    threshold: phi.
    steps: T.
    step_size: beta.

  Returns:
    [b] nats.

  Reference: Zhou, Zhang, Zhao, Wen, ACL 2022, arXiv:2205.00656, section 4; phi = 0.9, as many samples as sentences and tau = 0.05 for
  BERT-base in run.sh of the official code, T = 4 and beta = 1e-3 in its train.py and models.py. There masked similarities are set to 0 and the
  loss is the binary cross entropy of the softmax; here it is the paper's. Stop-gradient on the guide and on the noise.
  """
  q, k, own = l2_normalize(q), l2_normalize(k), jnp.eye(len(q), dtype=bool)
  score = lambda a, c: jnp.matmul(a, c.T, precision='highest') / temperature
  kept = own | jax.lax.stop_gradient(jnp.matmul(l2_normalize(guide_q), l2_normalize(guide_k).T, precision='highest') < threshold)
  fixed = jax.lax.stop_gradient((q, k))
  in_batch = jax.nn.logsumexp(score(*fixed), 1)
  contrast = lambda n: jnp.sum(jnp.logaddexp(in_batch, jax.nn.logsumexp(score(fixed[0], l2_normalize(n)), 1)))
  noise = jax.lax.stop_gradient(noise.astype(jnp.float32))
  for _ in range(steps):
    noise = noise + step_size * l2_normalize(jax.grad(contrast)(noise))
  scores = jnp.where(kept, score(q, k), -1e30)
  far = score(q, l2_normalize(jax.lax.stop_gradient(noise)))
  return jax.nn.logsumexp(jnp.concatenate([scores, far], 1), 1) - jnp.diagonal(scores)
