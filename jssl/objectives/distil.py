"""Objectives that hand what a teacher knows to a student. The teacher is a constant: its gradient is stopped."""

import jax
import jax.numpy as jnp

from jssl.objectives.clustering import sinkhorn
from jssl.parts.gradients import l2_normalize
from jssl.types import Array


def kl_logits(student: Array, teacher: Array, *, temperature: float = 1.0) -> Array:
  """Divergence of the student's softened distribution from the teacher's.

  l_i = T^2 KL( softmax(teacher_i/T) || softmax(student_i/T) )

  Over the classes of an example this is Hinton's distillation, over the passages of a query relevance distillation.

  Args:
    student: [b ... k] logits or scores of k candidates; over further axes the mean is taken.
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


def token_alignment(student: Array, teacher: Array) -> Array:
  """Squared distance of the student's tokens to the teacher's, matched one to one and greedily by cosine.

  l_i = mean_nd ( student_in - teacher_i,m(n) )^2

  m: of all pairs of tokens not yet matched the one with the largest cosine is matched next, until none is left.

  Args:
    student: [b n d] token vectors, of a translation for example.
    teacher: [b n d] token vectors of the original.

  Returns:
    [b].

  Reference: Li et al. 2022, arXiv:2112.08185, section 3, the alignment of tokens. Stop-gradient on the teacher and on
  the matching. Tokens that are the same text for both need no matching: `latent_l2`.
  """
  student, teacher = student.astype(jnp.float32), jax.lax.stop_gradient(teacher.astype(jnp.float32))
  order = match_tokens(student, teacher)
  return jnp.mean((student - jnp.take_along_axis(teacher, order[..., None], 1)) ** 2, (1, 2))


def match_tokens(student: Array, teacher: Array) -> Array:
  """For every token of the student the teacher's token it is matched with by `token_alignment`, [b n]."""
  student, teacher = jax.lax.stop_gradient((l2_normalize(student), l2_normalize(teacher)))
  n = student.shape[1]

  def match(cosine):
    def step(_, carry):
      cosine, order = carry
      i, j = jnp.divmod(jnp.argmax(cosine), n)
      return cosine.at[i].set(-2).at[:, j].set(-2), order.at[i].set(j)

    return jax.lax.fori_loop(0, n, step, (cosine, jnp.zeros(n, jnp.int32)))[1]

  return jax.vmap(match)(jnp.einsum('bid,bjd->bij', student, teacher, precision='highest'))


def wcord_global(positive: Array, negatives: Array) -> Array:
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


def wcord_local(q: Array, k: Array, *, epsilon: float = 0.05, iterations: int = 20) -> Array:
  """Optimal transport between the student's and the teacher's features of a batch, in its primal form.

  l_i = b sum_j pi_ij C_ij,   C_ij = 1 - cos(q_i, k_j),   pi = argmin <pi, C> - epsilon H(pi)

  over the pi whose rows and columns each sum to 1/b; the mean over b is the cost of the transport.

  Args:
    q: [b d] the student's features.
    k: [b d] the teacher's.
    epsilon: the entropy of the plan.
    iterations: of Sinkhorn's scaling.

  Returns:
    [b], from 0 to 2.

  Reference: Chen, Wang, Gan, Liu, Henao, Carin 2021, arXiv:2012.08674, section 3.2, the local part. Stop-gradient on k
  and on the plan, whose own gradient vanishes at the optimum but for the entropy.
  """
  q, k = l2_normalize(q), jax.lax.stop_gradient(l2_normalize(k))
  cost = 1 - jnp.matmul(q, k.T, precision='highest')
  return jnp.sum(sinkhorn(-cost, epsilon=epsilon, iterations=iterations) * cost, 1)
