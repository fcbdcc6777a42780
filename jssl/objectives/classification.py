"""Cross entropy over classes, with margins, evidence, or partly missing labels."""

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln, polygamma
from jaxtyping import Bool, Float, Int

from jssl.objectives.metric import own_class
from jssl.objectives.prediction import token_mean
from jssl.ops.look_up import one_a_row, one_hot, pick
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def known_cross_entropy(logits: Float[Array, 'b c'], *, labels: Int[Array, ' b']) -> Float[Array, '']:
  """Cross entropy over the examples whose label is known.

  l = -(1/|K|) sum_{i in K} log softmax(logits_i)_{y_i},   K = {i: y_i >= 0}

  Args:
    logits: [b c] of c classes.
    labels: [b] integers, negative for examples without a label.

  Returns:
    scalar, nats; 0 where no label is known.

  Reference: Chen, Wang, Gan, Liu, Henao, Carin, CVPR 2021, arXiv:2012.08674, section 4, the loss of the task, over the examples that have a
    label.
  """
  known = labels >= 0
  log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
  chosen = pick(log_p, jnp.maximum(labels, 0))
  return -jnp.sum(known * chosen) / jnp.maximum(jnp.sum(known), 1)


def cross_entropy(
  logits: Float[Array, 'b c'], *, labels: Int[Array, ' b'] | Float[Array, 'b c'], smoothing: float | None = None
) -> Float[Array, ' b']:
  """Cross entropy of a classifier, with labels that are classes or probabilities.

  l_i = -sum_c t_ic log softmax(logits_i)_c,   t_ic = (1 - s) y_ic + s / C

  Args:
    logits: [b c] of C classes.
    labels: [b] integers, which stand for one-hot rows, or y [b c], probabilities.
    smoothing: s, label smoothing; None for none.

  Returns:
    [b] nats.

  Raises:
    ValueError: soft labels have another shape than the logits.

  Reference: Chung et al. 2020, arXiv:2003.11982, section 2.1, Eq. 1. Smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7. Soft
    labels: `torch.nn.functional.cross_entropy` and timm 1.0, timm/loss/cross_entropy.py, `SoftTargetCrossEntropy`.
  """
  if labels.ndim != 1 and labels.shape != logits.shape:
    raise ValueError(f'labels have shape {list(labels.shape)} and logits {list(logits.shape)}; expected labels [b], or one a class [b c]')
  log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
  true = pick(log_p, labels) if labels.ndim == 1 else jnp.sum(labels * log_p, -1)
  return -true if smoothing is None else -(1 - smoothing) * true - smoothing * jnp.mean(log_p, -1)


def binary_cross_entropy(
  logits: Float[Array, 'b c'], *, labels: Int[Array, ' b'] | Float[Array, 'b c'], threshold: float | None = None
) -> Float[Array, ' b']:
  """Cross entropy of one binary classifier per class, for examples that may be of several classes.

  l_i = -(1/C) sum_c [ t_ic log sigmoid(x_ic) + (1 - t_ic) log sigmoid(-x_ic) ],   t = y, or t_ic = [y_ic > threshold]

  Args:
    logits: x, [b c] of C classes.
    labels: [b] integers, which stand for one-hot rows, or y [b c], in [0, 1].
    threshold: from which soft labels count as 1, and below as 0; None leaves them soft.

  Returns:
    [b] nats.

  Raises:
    ValueError: soft labels have another shape than the logits.

  Reference: Wightman, Touvron, Jegou 2021, arXiv:2110.00476, section 2, where mixed images are of both classes; timm 1.0,
    timm/loss/binary_cross_entropy.py, `BinaryCrossEntropy` with target_threshold.
  """
  if labels.ndim != 1 and labels.shape != logits.shape:
    raise ValueError(f'labels have shape {list(labels.shape)} and logits {list(logits.shape)}; expected labels [b], or one a class [b c]')
  x = logits.astype(jnp.float32)
  t = one_hot(labels, x.shape[-1]) if labels.ndim == 1 else labels.astype(jnp.float32)
  t = t if threshold is None else (t > threshold).astype(jnp.float32)
  return jnp.mean(jax.nn.softplus(x) - t * x, -1)


def am_softmax(
  z: Float[Array, 'b d'], prototypes: Float[Array, 'c d'], *, labels: Int[Array, ' b'], margin: float = 0.35, scale: float = 30.0
) -> Float[Array, ' b']:
  """Softmax over cosines with an additive margin on the cosine of the true class.

  l_i = -log softmax_c( s (cos(z_i, w_c) - m [c = y_i]) )_{y_i}

  Args:
    z: [b d] embeddings.
    prototypes: [c d] learned weights of the classes.
    labels: [b] integers.
    margin: m.
    scale: s.

  Returns:
    [b] nats.

  Reference: Wang, Cheng, Liu, Liu 2018, arXiv:1801.05599, Eq. 6, m = 0.35 and s = 30; Wang et al. 2018,
  arXiv:1801.09414 (CosFace).
  """
  labels = one_a_row(labels, 'labels')
  cosine = jnp.matmul(l2_normalize(z), l2_normalize(prototypes).T, precision='highest')
  true = one_hot(labels, len(prototypes))
  return -jnp.sum(true * jax.nn.log_softmax(scale * (cosine - margin * true)), 1)


def aam_softmax(
  z: Float[Array, 'b d'], prototypes: Float[Array, 'c d'], *, labels: Int[Array, ' b'], margin: float = 0.2, scale: float = 30.0
) -> Float[Array, ' b']:
  """Softmax over cosines with an additive margin on the angle to the true class.

  l_i = -log softmax_c( s (psi(theta_ic) if c = y_i else cos theta_ic) )_{y_i}
  psi(t) = cos(t + m) for t < pi - m, and cos t - m sin m beyond, where cos(t + m) would rise again

  Args:
    z: [b d] embeddings.
    prototypes: [c d] learned weights of the classes.
    labels: [b] integers.
    margin: m, in radians.
    scale: s.

  Returns:
    [b] nats.

  Reference: Deng, Guo, Xue, Zafeiriou 2019, arXiv:1801.07698, Eq. 3 (m = 0.5, s = 64 for faces); Chung et al. 2020,
  arXiv:2003.11982, section 2.1; psi beyond pi - m as in its official code.
  """
  labels = one_a_row(labels, 'labels')
  cosine = jnp.matmul(l2_normalize(z), l2_normalize(prototypes).T, precision='highest')
  square = 1 - cosine * cosine
  inside = square > 1e-12  # the sine has no finite gradient at 0 and pi
  sine = jnp.where(inside, jnp.sqrt(jnp.where(inside, square, 1)), 0)
  shifted = cosine * jnp.cos(margin) - sine * jnp.sin(margin)
  shifted = jnp.where(cosine > -jnp.cos(margin), shifted, cosine - margin * jnp.sin(margin))
  true = one_hot(labels, len(prototypes))
  return -jnp.sum(true * jax.nn.log_softmax(scale * jnp.where(true > 0, shifted, cosine)), 1)


def cores(z: Float[Array, 'b d'], *, labels: Int[Array, ' b']) -> Float[Array, ' b']:
  """Cross entropy of a fixed classifier whose weights are the vertices of a simplex, including those of future classes.

  l_i = -log softmax_c( w_c.z_i )_{y_i},   w = `simplex`(d)

  Vertices of future classes are in the denominator and reserve space for them, so that features learnt later are compatible.

  Args:
    z: [b d] features, not normalised, for d + 1 classes in total.
    labels: [b] integers below d + 1; a class must keep its label when classes are added.

  Returns:
    [b] nats.

  Reference: Biondi, Pernici, Bruni, Del Bimbo 2023, arXiv:2111.07632, section 4. The classifier is not trained.
  """
  logits = jnp.matmul(z.astype(jnp.float32), simplex(z.shape[1]).T, precision='highest')
  return -pick(jax.nn.log_softmax(logits), labels)


def simplex(d: int) -> Float[Array, '{d}+1 {d}']:
  """The d + 1 vertices of a regular simplex in d dimensions, of unit length: w_i.w_j = -1/d, [d+1 d]."""
  corners = jnp.concatenate([jnp.eye(d), jnp.full((1, d), (1 - jnp.sqrt(1.0 + d)) / d)])
  return l2_normalize(corners - jnp.mean(corners, 0))


def edl(logits: Float[Array, 'b k'], *, labels: Int[Array, ' b'], kl_weight: float = 1.0) -> Float[Array, ' b']:
  """Evidential classification: the expected squared error of probabilities with a Dirichlet distribution.

  l_i = sum_j [ (y_j - a_j/A)^2 + a_j (A - a_j)/(A^2 (A + 1)) ] + w_k KL( Dir(1 + (1 - y)(a - 1)) || Dir(1) )
  a = softplus(logits) + 1, A = sum_j a_j

  Args:
    logits: [b k] of k classes.
    labels: [b] integers.
    kl_weight: w_k, min(1, epoch/10) in the paper.

  Returns:
    [b].

  Reference: Sensoy, Kaplan, Kandemir 2018, arXiv:1806.01768, Eq. 5 and section 4. The paper's evidence is relu(logits); here it is
  softplus(logits), as in `i_edl`.
  """
  labels = one_a_row(labels, 'labels')
  a, y, error = _expected_error(logits, labels)
  return jnp.sum(error, 1) + kl_weight * _dirichlet_kl(1 + (1 - y) * (a - 1))


def i_edl(logits: Float[Array, 'b k'], *, labels: Int[Array, ' b'], fisher_weight: float = 1.0, kl_weight: float = 1.0) -> Float[Array, ' b']:
  """Evidential classification with errors weighted by the Fisher information of the predicted Dirichlet.

  l_i = sum_j psi1(a_j) [ (y_j - a_j/A)^2 + a_j (A - a_j)/(A^2 (A + 1)) ]
        - w_f log det F + w_k KL( Dir(1 + (1 - y)(a - 1)) || Dir(1) )
  log det F = sum_j log psi1(a_j) + log(1 - sum_j psi1(A)/psi1(a_j)),   a = softplus(logits) + 1, A = sum_j a_j

  Args:
    logits: [b k] of k classes.
    labels: [b] integers.
    fisher_weight: w_f; log det F is left out where it is not finite.
    kl_weight: w_k, min(1, epoch/10) in the paper.

  Returns:
    [b].

  Reference: Deng, Chen, Yu, Liu, Heng 2023, arXiv:2303.02045, section 3. Predicted probabilities are
  a/A, and k/A is the uncertainty.
  """
  a, y, error = _expected_error(logits, labels)
  psi, psi_total = polygamma(1, a), polygamma(1, jnp.sum(a, 1, keepdims=True))
  rest = 1 - jnp.sum(psi_total / psi, 1)
  regular = rest > 1e-6
  log_det = jnp.sum(jnp.log(psi), 1) + jnp.log(jnp.where(regular, rest, 1))
  log_det = jnp.where(regular, log_det, 0)
  return jnp.sum(psi * error, 1) - fisher_weight * log_det + kl_weight * _dirichlet_kl(1 + (1 - y) * (a - 1))


def entity_recovery(
  z: Float[Array, 'b n d'],
  candidates: Float[Array, 'b c d'] | Float[Array, 'c d'],
  *,
  labels: Int[Array, 'b n'],
  mask: Bool[Array, 'b n'] | None = None,
) -> Float[Array, ' b']:
  """Cross entropy of finding the entity of a masked cell among the candidates of its table.

  l_i = b / sum_in m_in sum_n m_in ( -log softmax_c(z_in.e_ic)[labels_in] )

  Args:
    z: [b n d] representations of the cells, mapped to the space of the entities; not normalised.
    candidates: [b c d] e, embeddings of each table's candidates, or [c d] where all tables have the same.
    labels: [b n] index of the true entity among the candidates; ignored where the mask is false.
    mask: [b n] true for masked cells; None for all.

  Returns:
    [b] nats.

  Reference: Deng, Sun, Lees, Wu, Yu 2020, arXiv:2006.14806, section 4.4, masked entity recovery. The candidates are the
  table's entities, others that occur with them, and random ones.
  """
  labels = labels if mask is None else jnp.where(mask, labels, 0)
  candidates = jnp.broadcast_to(candidates, (len(z), *candidates.shape[-2:])).astype(jnp.float32)
  logits = jnp.einsum('bnd,bcd->bnc', z.astype(jnp.float32), candidates, precision='highest')
  loss = jax.nn.logsumexp(logits, -1) - pick(logits, labels)
  return token_mean(loss, mask)


def first_cross_entropy(scores: Float[Array, 'b m']) -> Float[Array, ' b']:
  """Cross entropy over candidates of which the first is correct, the loss of a cross-encoder.

  l_i = -log softmax(scores_i)[0]

  Args:
    scores: [b m].

  Returns:
    [b] nats.

  Reference: Wang et al. (SimLM) 2022, arXiv:2207.02578, section 3.2 (re-ranker); Nogueira, Cho 2019, arXiv:1901.04085, score each candidate
  independently.
  """
  return -jax.nn.log_softmax(scores.astype(jnp.float32))[:, 0]


def paired_cross_entropy(scores: Float[Array, 'b b'], *, ids: Int[Array, ' b'] | None = None) -> Float[Array, ' b']:
  """In-batch cross entropy of queries and their matches: l_i = -log softmax_j(s_ij)[i].

  Args:
    scores: [b b] s, scores of all queries with all candidates, the matching pairs on the diagonal.
    ids: [b] integers; candidates of equal id are not negatives of each other's queries.

  Returns:
    [b] nats.

  Reference: Khattab, Zaharia, SIGIR 2020, arXiv:2004.12832, section 3.3, with the other passages of the batch as negatives.
  """
  scores = scores.astype(jnp.float32)
  if ids is not None:
    ids = one_a_row(ids, 'ids')
    scores = jnp.where((ids[:, None] == ids) & ~jnp.eye(len(ids), dtype=bool), -jnp.inf, scores)
  return own_class(scores)


def _expected_error(logits: Array, labels: Array) -> tuple[Array, Array, Array]:
  """The concentrations of the Dirichlet, the one-hot labels and the expected squared error of each class, all [b k]."""
  a = jax.nn.softplus(logits.astype(jnp.float32)) + 1
  total, y = jnp.sum(a, 1, keepdims=True), one_hot(labels, a.shape[1])
  return a, y, (y - a / total) ** 2 + a * (total - a) / (total * total * (total + 1))


def _dirichlet_kl(a: Array) -> Array:
  """KL(Dir(a) || Dir(1)), [b k] to [b]."""
  total = jnp.sum(a, 1, keepdims=True)
  constant = gammaln(total[:, 0]) - jnp.sum(gammaln(a), 1) - gammaln(float(a.shape[1]))
  return constant + jnp.sum((a - 1) * (digamma(a) - digamma(total)), 1)
