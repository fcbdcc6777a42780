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


def ibot(
  q: Float[Array, 'b *v n p'],
  k: Float[Array, 'b *v n p'],
  mask: Bool[Array, 'b *v n'],
  *,
  centre: Float[Array, ' p'] | float = 0.0,
  temperature: float = 0.1,
  teacher_temperature: float = 0.04,
  iterations: int = 0,
) -> Float[Array, ' b']:
  """Masked patches: cross entropy between the teacher, which sees the patch, and the student, which sees it masked.

  l_i = mean_v sum_n m_ivn H(p+_ivn, softmax(q_ivn/tau_s)) / max(1, sum_n m_ivn),   p+ = softmax((k - c)/tau_t)

  or, with iterations > 0, p+ = sinkhorn(k/tau_t) over all masked patches of the batch.

  Args:
    q: [b v n p] outputs of the student for n patches of v views; without the axis v for one view.
    k: [b v n p] outputs of the teacher for the same patches of the same views, unmasked.
    mask: [b v n] bool, True = masked. An example without masked patches has loss 0.
    centre: c, [p] the running mean of the teacher's outputs for patches; not used by Sinkhorn-Knopp.
    temperature: tau_s.
    teacher_temperature: tau_t.
    iterations: number of Sinkhorn-Knopp iterations in place of the centre; 0 for none.

  Returns:
    [b] nats.

  Raises:
    ValueError: if `iterations` and `centre` are both given.

  Reference: Zhou, Wei, Wang, Shen, Xie, Yuille, Kong 2022, arXiv:2111.07832, Eq. 2, and official code, `iBOTLoss.forward`: mean over masked
  patches, then over examples and views; tau_s = 0.1, tau_t from 0.04 to 0.07 in 30 epochs. Sinkhorn-Knopp with 3 iterations: Oquab et al.
  (DINOv2) 2023, arXiv:2304.07193, section 4, and official code, `iBOTPatchLoss.sinkhorn_knopp_teacher`. Stop-gradient on the teacher.
  """
  if iterations:
    if jnp.ndim(centre):
      raise ValueError(f'ibot has a centre and {iterations} Sinkhorn-Knopp iterations, which take its place: leave one of them out')
    rows = k.reshape(-1, k.shape[-1])
    target = sinkhorn(rows, epsilon=teacher_temperature, iterations=iterations, valid=mask.reshape(-1)).reshape(k.shape)
  else:
    target = dino_teacher(k, centre=centre, teacher_temperature=teacher_temperature)
  loss = _cross_entropy(jnp.where(mask[..., None], target, 0), q, temperature)
  loss = jnp.sum(loss, -1) / jnp.maximum(jnp.sum(mask, -1), 1)
  return jnp.mean(loss.reshape(len(loss), -1), 1)


def msn(
  q: Float[Array, 'b *v p'],
  k: Float[Array, 'b p'],
  *,
  temperature: float = 0.1,
  sharpening: float = 0.25,
  entropy_weight: float = 1.0,
  iterations: int = 0,
) -> Float[Array, ' b']:
  """Masked siamese networks: match the sharpened assignment of the whole image, and use every prototype.

  l_i = mean_v H(p+_i, p_iv) - lambda H(mean_iv p_iv) + lambda log P,   p = softmax(q/tau),   p+ = softmax(k/(tau T))

  Args:
    q: [b v p] cosines of v anchor views with the P prototypes: masked views, and small ones; without the axis v for one view.
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
  mean = jnp.mean(jax.nn.softmax(q / temperature), tuple(range(q.ndim - 1)))
  entropy = -jnp.sum(mean * jnp.log(jnp.where(mean > 0, mean, 1)))
  loss = _cross_entropy(jnp.expand_dims(target, tuple(range(1, q.ndim - 1))), q, temperature)
  return jnp.mean(loss.reshape(len(q), -1), 1) + entropy_weight * (jnp.log(q.shape[-1]) - entropy)


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
