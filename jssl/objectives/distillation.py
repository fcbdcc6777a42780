"""Distillation objectives: a student is trained to match a teacher, whose gradient is stopped."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jssl.objectives.clustering import sinkhorn
from jssl.objectives.prediction import token_mean
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def kl_logits(student: Float[Array, 'b *n k'], teacher: Float[Array, 'b *n k'], *, temperature: float = 1.0) -> Float[Array, ' b']:
  """KL divergence of the student's softened distribution from the teacher's.

  l_i = T^2 KL( softmax(teacher_i/T) || softmax(student_i/T) )

  Over the classes of an example this is Hinton's distillation, over the passages of a query relevance distillation.

  Args:
    student: [b ... k] logits or scores of k candidates; the loss is the mean over other axes.
    teacher: the same shape.
    temperature: T; the factor T^2 keeps the size of the gradient.

  Returns:
    [b] nats.

  Reference: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2; Li et al. 2022, arXiv:2112.08185, section 3
  (scores of a list of passages, teacher and student each over their own language). Stop-gradient on the teacher.
  """
  student = jax.nn.log_softmax(student.astype(jnp.float32) / temperature)
  teacher = jax.lax.stop_gradient(jax.nn.log_softmax(teacher.astype(jnp.float32) / temperature))
  divergence = jnp.sum(jnp.exp(teacher) * (teacher - student), -1)
  return temperature**2 * jnp.mean(divergence.reshape(len(divergence), -1), 1)


def ressl(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, negatives: Float[Array, 'm d'], temperature: float = 0.1, teacher_temperature: float = 0.04
) -> Float[Array, ' b']:
  """Cross-entropy of the teacher's relations to a queue of earlier examples and the student's.

  l_i = -sum_m softmax_m(k_i.n_m / tau_t) log softmax_m(q_i.n_m / tau_s)

  Args:
    q: [b d] embeddings of the student.
    k: [b d] embeddings of the teacher, for a view that is changed less.
    negatives: [m d] n, the queue of the teacher's embeddings; that of i is not in it.
    temperature: tau_s.
    teacher_temperature: tau_t, below tau_s, so that the relations are sharper.

  Returns:
    [b] nats.

  Reference: Zheng, You, Wang, Qian, Zhang, Wang, Xu 2021, arXiv:2107.09282, section 3; tau_s = 0.1, tau_t = 0.04 and a queue of 131,072 as in
  ressl.py of the official code. Stop-gradient on k and on the queue.
  """
  k, negatives = jax.lax.stop_gradient((k, l2_normalize(negatives)))
  relations = lambda x, tau: jax.nn.log_softmax(jnp.matmul(l2_normalize(x), negatives.T, precision='highest') / tau)
  return -jnp.sum(jnp.exp(relations(k, teacher_temperature)) * relations(q, temperature), -1)


def cross_view(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, queue: Float[Array, 'm d'], temperature: float = 0.03, reference_temperature: float = 0.02
) -> Float[Array, ' b']:
  """KL divergence of one view's similarities to a queue of references from those of the reference of the other view.

  l_i = KL( softmax_m(k_i.n_m / tau_r) || softmax_m(q_i.n_m / tau_s) )

  The references n_m are the queue, followed by those of the batch, k.

  Args:
    q: [b d] projected embeddings of one view.
    k: [b d] references: embeddings of the other view, without projection.
    queue: [m d] earlier references of that view.
    temperature: tau_s.
    reference_temperature: tau_r.

  Returns:
    [b] nats.

  Reference: Limkonchotiwat et al. (SCT), TACL 2023, arXiv:2311.03228, section 3, and SCTLoss.py of the official code, for both views in turn;
  tau_r = 0.02 and tau_s = 0.03 for BERT-Small. Stop-gradient on the references. Without the batch in the queue, and up to the entropy of the
  references, it is `ressl`.
  """
  k, queue = jax.lax.stop_gradient((l2_normalize(k), l2_normalize(queue)))
  references = jnp.concatenate([queue, k])
  relations = lambda x, tau: jax.nn.log_softmax(jnp.matmul(x, references.T, precision='highest') / tau)
  of, by = relations(k, reference_temperature), relations(l2_normalize(q), temperature)
  return jnp.sum(jnp.exp(of) * (of - by), -1)


def ranking_distillation(
  query: Float[Array, 'b d'], candidates: Float[Array, 'b m d'], scores: Float[Array, 'b m'], *, temperature: float = 0.02
) -> Float[Array, ' b']:
  """KL divergence of a bi-encoder's ranking of the candidates of a query from that of a cross-encoder.

  l_i = KL( softmax_j(scores_ij) || softmax_j(cos(query_i, candidate_ij) / tau) )

  Args:
    query: [b d].
    candidates: [b m d] of each query: the positive and hard negatives.
    scores: [b m] the teacher's, not scaled.
    temperature: tau of the student.

  Returns:
    [b] nats.

  Reference: Wang et al. (SimLM) 2022, arXiv:2207.02578, section 3.2, with tau = 0.02 in the official code and added to 0.2 times
  `info_nce`. Stop-gradient on the teacher.
  """
  cosine = jnp.einsum('bd,bmd->bm', l2_normalize(query), l2_normalize(candidates), precision='highest')
  return kl_logits(cosine / temperature, scores)


def token_alignment(
  student: Float[Array, 'b n d'],
  teacher: Float[Array, 'b m d'],
  *,
  student_mask: Bool[Array, 'b n'] | None = None,
  teacher_mask: Bool[Array, 'b m'] | None = None,
) -> Float[Array, ' b']:
  """Squared distance of the student's tokens to the teacher's, matched one to one, greedily by cosine.

  l_i = mean_nd ( student_in - teacher_i,m(n) )^2, over the tokens n that are matched

  m: the pair with the largest cosine among the unmatched tokens is matched next, until one side has none left.

  Args:
    student: [b n d] token vectors, of a translation for example.
    teacher: [b m d] token vectors of the original.
    student_mask: [b n] bool, True = may be matched; None for all. With either mask the result is the example's share of
      the mean over the matched tokens of the batch.
    teacher_mask: [b m], the same for the teacher's.

  Returns:
    [b].

  Raises:
    ValueError: if a mask does not have the shape of its tokens.

  Reference: Li et al. 2022, arXiv:2112.08185, section 3, the alignment of tokens. Stop-gradient on the teacher and on
  the matching. Where both have the same tokens, no matching is needed: use `latent_l2`.
  """
  student, teacher = student.astype(jnp.float32), jax.lax.stop_gradient(teacher.astype(jnp.float32))
  order = match_tokens(student, teacher, student_mask=student_mask, teacher_mask=teacher_mask)
  error = jnp.mean((student - jnp.take_along_axis(teacher, jnp.maximum(order, 0)[..., None], 1)) ** 2, -1)
  all_matched = student_mask is None and teacher_mask is None and student.shape[1] <= teacher.shape[1]
  return token_mean(error, None if all_matched else order >= 0)


def match_tokens(
  student: Float[Array, 'b n d'],
  teacher: Float[Array, 'b m d'],
  *,
  student_mask: Bool[Array, 'b n'] | None = None,
  teacher_mask: Bool[Array, 'b m'] | None = None,
) -> Int[Array, 'b n']:
  """The index of the teacher's token that `token_alignment` matches with each token of the student, [b n]; -1 for none."""
  student, teacher = jax.lax.stop_gradient((l2_normalize(student), l2_normalize(teacher)))
  (b, n, _), m = student.shape, teacher.shape[1]
  masks = []
  for name, mask, shape in (('student', student_mask, (b, n)), ('teacher', teacher_mask, (b, m))):
    if mask is not None and mask.shape != shape:
      raise ValueError(f'{name}_mask has the shape {mask.shape}: expected {shape}, one value a token')
    masks.append(jnp.ones(shape, bool) if mask is None else mask.astype(bool))

  def match(cosine):
    def step(_, carry):
      cosine, order = carry
      i, j = jnp.divmod(jnp.argmax(cosine), m)
      found = jnp.where(cosine[i, j] == -jnp.inf, order[i], j)  # nothing left to match: keep the result
      return cosine.at[i].set(-jnp.inf).at[:, j].set(-jnp.inf), order.at[i].set(found)

    return jax.lax.fori_loop(0, min(n, m), step, (cosine, jnp.full(n, -1, jnp.int32)))[1]

  cosine = jnp.einsum('bid,bjd->bij', student, teacher, precision='highest')
  return jax.vmap(match)(jnp.where(masks[0][:, :, None] & masks[1][:, None], cosine, -jnp.inf))


def wcord_global(positive: Float[Array, ' b'], negatives: Float[Array, 'b m']) -> Float[Array, ' b']:
  """Wasserstein dependency of student and teacher, in its dual form: a critic scores pairs.

  l_i = -( g(teacher_i, student_i) - sum_m g(teacher_m, student_i) )

  Args:
    positive: [b] the critic's scores of matching pairs.
    negatives: [b m] its scores of m pairs that do not match.

  Returns:
    [b].

  Reference: Chen, Wang, Gan, Liu, Henao, Carin 2021, arXiv:2012.08674, section 3.1, the global part. Student and critic
  both minimise it. The critic must be 1-Lipschitz, by spectral normalisation of its layers in the paper: otherwise
  there is no lower bound.
  """
  return jnp.sum(negatives.astype(jnp.float32), 1) - positive.astype(jnp.float32)


def wcord_scores(scores: Float[Array, 'b b']) -> Float[Array, ' b']:
  """`wcord_global` with one negative, the mean over all other examples of the batch.

  l_i = -( s_ii - sum_{j != i} s_ij / (b - 1) )

  Args:
    scores: [b b] s_ij, the critic's score of student i with teacher j.

  Returns:
    [b].

  Reference: Chen, Wang, Gan, Liu, Henao, Carin 2021, arXiv:2012.08674, section 3.1.
  """
  scores = scores.astype(jnp.float32)
  positive = jnp.diagonal(scores)
  return wcord_global(positive, ((jnp.sum(scores, 1) - positive) / max(len(scores) - 1, 1))[:, None])


def wcord_local(q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, epsilon: float = 0.05, iterations: int = 20) -> Float[Array, ' b']:
  """Optimal transport between the student's and the teacher's features of a batch, in its primal form.

  l_i = b sum_j pi_ij C_ij,   C_ij = 1 - cos(q_i, k_j),   pi = argmin <pi, C> - epsilon H(pi)

  over the pi whose rows and columns each sum to 1/b; the mean over b is the cost of the transport.

  Args:
    q: [b d] the student's features.
    k: [b d] the teacher's.
    epsilon: entropy regularisation of the plan.
    iterations: number of Sinkhorn iterations.

  Returns:
    [b], from 0 to 2.

  Reference: Chen, Wang, Gan, Liu, Henao, Carin 2021, arXiv:2012.08674, section 3.2, the local part. Stop-gradient on k
  and on the plan, whose own gradient vanishes at the optimum except for the entropy.
  """
  q, k = l2_normalize(q), jax.lax.stop_gradient(l2_normalize(k))
  cost = 1 - jnp.matmul(q, k.T, precision='highest')
  return jnp.sum(sinkhorn(-cost, epsilon=epsilon, iterations=iterations) * cost, 1)
