"""Objectives whose targets are assignments to prototypes. Scores are [b p], one column per prototype, in float32."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jssl.ops.look_up import one_a_row
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def swav(
  q: Float[Array, 'b p'],
  k: Float[Array, 'b p'],
  *,
  temperature: float = 0.1,
  epsilon: float = 0.05,
  iterations: int = 3,
  queue: Float[Array, 'm e'] | None = None,
  queue_valid: Bool[Array, ' m'] | None = None,
  prototypes: Float[Array, 'p e'] | None = None,
) -> Float[Array, ' b']:
  """Predict the balanced assignment of one view from the other.

  l_i = -sum_p code_ip log softmax(q_i/tau)_p,   code = sinkhorn(k)

  Args:
    q: [b p] scores of one view: unit-length embeddings times unit-length prototypes.
    k: [b p] scores of the view whose assignment is the target.
    temperature: tau.
    epsilon: entropy regularisation of the codes.
    iterations: number of Sinkhorn-Knopp iterations.
    queue: [m p] scores of earlier embeddings with the current prototypes, included in the balancing; with `prototypes`, the embeddings [m e].
    queue_valid: [m] true for the filled part of the queue; None for all.
    prototypes: [p e], whose directions score a queue of unit-length embeddings; None for a queue of scores.

  Returns:
    [b] nats.

  Reference: Caron, Misra, Mairal, Goyal, Bojanowski, Joulin 2020, arXiv:2006.09882, Eq. 2 to 5 and Algorithm 1;
  tau = 0.1, epsilon = 0.05, 3 iterations. Stop-gradient on the codes. The official code has a queue of
  embeddings for each view that is assigned, filled from epoch 15 on, and uses it once it is full.
  """
  scores, valid = k, None
  if queue is not None:
    queue = queue if prototypes is None else queue.astype(jnp.float32) @ l2_normalize(prototypes).T
    scores = jnp.concatenate([k, queue.astype(k.dtype)])
    if queue_valid is not None:
      valid = jnp.concatenate([jnp.ones(len(k), bool), queue_valid])
  codes = sinkhorn(scores, epsilon=epsilon, iterations=iterations, valid=valid)[: len(k)]
  return _cross_entropy(codes, q, temperature)


def dino(
  q: Float[Array, 'b p'],
  k: Float[Array, 'b p'],
  *,
  centre: Float[Array, ' p'] | float = 0.0,
  temperature: float = 0.1,
  teacher_temperature: float = 0.04,
) -> Float[Array, ' b']:
  """Cross entropy between a centred, sharpened teacher and the student.

  l_i = -sum_p softmax((k_i - c)/tau_t)_p log softmax(q_i/tau_s)_p

  Args:
    q: [b p] outputs of the student.
    k: [b p] outputs of the teacher for another view.
    centre: c, [p] the running mean of the teacher's outputs before this batch.
    temperature: tau_s.
    teacher_temperature: tau_t; in the paper 0.04, rising to 0.07 over the first 30 epochs.

  Returns:
    [b] nats.

  Reference: Caron, Touvron, Misra, Jegou, Mairal, Bojanowski, Joulin 2021, arXiv:2104.14294, Eq. 1 to 4 and Algorithm
  1. Stop-gradient on the teacher. In the paper a view is never compared with itself; the caller chooses the pairs.
  """
  return _cross_entropy(dino_teacher(k, centre=centre, teacher_temperature=teacher_temperature), q, temperature)


def dino_teacher(k: Float[Array, 'b p'], *, centre: Float[Array, ' p'] | float = 0.0, teacher_temperature: float = 0.04) -> Float[Array, 'b p']:
  """The teacher's centred and sharpened probabilities, softmax((k - c)/tau_t), [b p]; see `dino`."""
  return jax.nn.softmax(jax.lax.stop_gradient(k.astype(jnp.float32) - centre) / teacher_temperature)


def msn(
  q: Float[Array, 'b p'],
  k: Float[Array, 'b p'],
  *,
  temperature: float = 0.1,
  sharpening: float = 0.25,
  entropy_weight: float = 1.0,
  iterations: int = 0,
) -> Float[Array, ' b']:
  """Masked siamese networks: match the sharpened assignment of the whole image, and use every prototype.

  l_i = H(p+_i, p_i) - lambda H(mean_i p_i) + lambda log P,   p = softmax(q/tau),   p+ = softmax(k/(tau T))

  Args:
    q: [b p] cosines of the masked view with the P prototypes.
    k: [b p] cosines of the target view.
    temperature: tau.
    sharpening: T, below 1.
    entropy_weight: lambda, on the entropy of the mean prediction (me-max).
    iterations: number of Sinkhorn-Knopp iterations on p+; 0 for none.

  Returns:
    [b] nats; the entropy is the same for every example. The constant lambda log P makes l non-negative.

  Reference: Assran et al. 2022, arXiv:2204.07141, Eq. 1 and section 3; tau = 0.1, T = 0.25, lambda = 1. Stop-gradient
  on p+. The official code adds the constant lambda log P, and its configs run 3 iterations of Sinkhorn-Knopp.
  """
  q = q.astype(jnp.float32)
  log_target = jax.nn.log_softmax(jax.lax.stop_gradient(k.astype(jnp.float32)) / (temperature * sharpening))
  target = sinkhorn(log_target, epsilon=1.0, iterations=iterations) if iterations else jnp.exp(log_target)
  mean = jnp.mean(jax.nn.softmax(q / temperature), 0)
  entropy = -jnp.sum(mean * jnp.log(jnp.where(mean > 0, mean, 1)))
  return _cross_entropy(target, q, temperature) + entropy_weight * (jnp.log(q.shape[1]) - entropy)


def deep_cluster(q: Float[Array, 'b p'], labels: Int[Array, ' b'], *, temperature: float = 0.1) -> Float[Array, ' b']:
  """Cross entropy of predicting the k-means cluster of an example.

  l_i = -log softmax(q_i/tau)_{label_i}, weighted so that the mean over b is the mean over labels >= 0

  Args:
    q: [b p] scores: unit-length embeddings times unit-length centroids.
    labels: [b] integers, the clusters; examples with a negative label are ignored.
    temperature: tau.

  Returns:
    [b] nats.

  Reference: Caron et al. 2020, arXiv:2006.09882, section 4 and appendix (DeepCluster-v2), tau = 0.1.
  """
  labels = one_a_row(labels, 'labels')
  known = labels >= 0
  codes = jax.nn.one_hot(labels, q.shape[1])  # zeros for a negative label
  return _cross_entropy(codes, q, temperature) * len(q) / jnp.maximum(jnp.sum(known), 1)


def sinkhorn(
  scores: Float[Array, 'b p'], *, epsilon: float = 0.05, iterations: int = 3, valid: Bool[Array, ' b'] | None = None
) -> Float[Array, 'b p']:
  """Balanced soft assignments: rows sum to 1, and columns have about equal sums.

  Q = diag(u) exp(scores/epsilon) diag(v), scaled alternately so that columns sum to b/p and rows to 1

  Args:
    scores: [b p].
    epsilon: entropy regularisation; small values give sharp assignments.
    iterations: at least 1; the rows are scaled last.
    valid: [b] false for rows to ignore; their own results are meaningless.

  Returns:
    [b p] without gradient.

  Raises:
    ValueError: for fewer than 1 iteration.

  Reference: Cuturi 2013, arXiv:1306.0895, Algorithm 1; Caron et al. 2020, arXiv:2006.09882, Eq. 3 to 5. Computed in log space; the official
  code computes exp(scores/epsilon), which can overflow.
  """
  if iterations < 1:
    raise ValueError(f'sinkhorn needs at least 1 iteration, not {iterations}')
  log = jax.lax.stop_gradient(scores.astype(jnp.float32)) / epsilon
  taking_part = True if valid is None else valid[:, None]
  for _ in range(iterations):
    log = log - jax.nn.logsumexp(jnp.where(taking_part, log, -jnp.inf), 0, keepdims=True)
    log = jax.nn.log_softmax(log, 1)
  return jnp.exp(log)


def _cross_entropy(target: Array, scores: Array, temperature: float) -> Array:
  return -jnp.sum(target * jax.nn.log_softmax(scores.astype(jnp.float32) / temperature), -1)
