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
