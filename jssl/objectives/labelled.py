"""Objectives that read labels: metric learning with several examples a class, margins, graded pairs, evidence.

Where the argument is z [b m d], each of b classes brings m examples, and no class comes twice. Embeddings are scaled to
unit length inside, except where said. None stops a gradient unless it says so.
"""

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln, polygamma

from jssl.objectives.prediction import token_mean
from jssl.parts.gradients import l2_normalize
from jssl.parts.look_up import one_hot, pick
from jssl.types import Array


def prototypical(z: Array) -> Array:
  """Softmax over the squared distances of a query to the classes' prototypes.

  l_i = -log softmax_c( -|z_i1 - mean_{m > 1} z_cm|^2 )_i

  Args:
    z: [b m d] embeddings, at least 2 a class: the first is the query. Not scaled to unit length.

  Returns:
    [b] nats.

  Reference: Snell, Swersky, Zemel 2017, arXiv:1703.05175, Eq. 2; Chung et al. 2020, arXiv:2003.11982, section 2.2.
  """
  z = z.astype(jnp.float32)
  query, prototype = z[:, 0], jnp.mean(z[:, 1:], 1)
  return _own_class(-_square_distance(query, prototype))


def angular_prototypical(z: Array, *, scale: float = 10.0) -> Array:
  """Softmax over the scaled cosines of a query to the classes' prototypes.

  l_i = -log softmax_c( w cos(z_i1, mean_{m > 1} z_cm) )_i

  Args:
    z: [b m d] embeddings, at least 2 a class: the first is the query.
    scale: w, learned in the paper from 10 on and held above 0; the paper's bias cancels in the softmax.

  Returns:
    [b] nats.

  Reference: Chung et al. 2020, arXiv:2003.11982, section 2.2. Prototypes are means of the embeddings as they are, not
  of unit length.
  """
  query, prototype = l2_normalize(z[:, 0]), l2_normalize(jnp.mean(z[:, 1:].astype(jnp.float32), 1))
  return _own_class(jnp.maximum(scale, 1e-6) * jnp.matmul(query, prototype.T, precision='highest'))


def ge2e(z: Array, *, scale: float = 10.0) -> Array:
  """Generalised end-to-end loss: every example is a query, its own prototype made without it.

  l_i = mean_m -log softmax_c( w cos(z_im, c_c) )_i,   c_c = mean_n z_cn, for c = i mean_{n != m} z_in

  Args:
    z: [b m d] embeddings, at least 2 a class.
    scale: w, learned in the paper from 10 on and held above 0; the paper's bias cancels in the softmax.

  Returns:
    [b] nats.

  Reference: Wan, Wang, Papir, Lopez Moreno 2018, arXiv:1710.10467, section 2; Chung et al. 2020,
  arXiv:2003.11982, section 2.2, whose official code cuts cosines off below 1e-6.
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
  q: Array, k: Array, *, margin: float = 0.2, weights: Array | None = None, ids: Array | None = None
) -> Array:
  """A positive must be closer than negatives by a margin, in squared distance on the sphere.

  l_i = sum_j w_ij max(0, |q_i - k_i|^2 - |q_i - k_j|^2 + margin)

  Args:
    q: [b d] anchors.
    k: [b d] positives; those of other rows are the negatives.
    margin: in squared distance, from 0 to 4.
    weights: [b b] w, a miner's weights of the negatives; None for weight 1 on the hardest.
    ids: [b] whole numbers; rows of equal id are not negatives of each other.

  Returns:
    [b]; 0 without negatives.

  Reference: Schroff, Kalenichenko, Philbin 2015, arXiv:1503.03832, section 3; Chung et al. 2020, arXiv:2003.11982,
  section 2.2. No gradient through the choice of the negative.
  """
  q, k = l2_normalize(q), l2_normalize(k)
  ids = jnp.arange(len(q)) if ids is None else ids
  other = ids[:, None] != ids
  distance = 2 - 2 * jnp.matmul(q, k.T, precision='highest')
  if weights is None:
    weights = jax.nn.one_hot(jnp.argmin(jnp.where(other, jax.lax.stop_gradient(distance), jnp.inf), 1), len(q))
  hinge = jax.nn.relu(jnp.diagonal(distance)[:, None] - distance + margin)
  return jnp.sum(jnp.where(other, weights * hinge, 0), 1)


def euclidean_triplet(anchor: Array, positive: Array, negative: Array, *, margin: float = 1.0) -> Array:
  """The positive must be closer than the negative by a margin, in distance.

  l_i = max(0, |q_i - p_i| - |q_i - n_i| + margin)

  Args:
    anchor: [b d] q, of any length.
    positive: [b d] p.
    negative: [b d] n.
    margin: in distance.

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


def softmax_cross_entropy(logits: Array, *, labels: Array) -> Array:
  """Cross entropy of a classifier.

  l_i = -log softmax(logits_i)_{y_i}

  Args:
    logits: [b c] of c classes.
    labels: [b] whole numbers.

  Returns:
    [b] nats.

  Reference: Chung et al. 2020, arXiv:2003.11982, section 2.1, Eq. 1.
  """
  return -pick(jax.nn.log_softmax(logits.astype(jnp.float32)), labels)


def am_softmax(z: Array, prototypes: Array, *, labels: Array, margin: float = 0.35, scale: float = 30.0) -> Array:
  """Softmax over cosines with an additive margin on the cosine of the true class.

  l_i = -log softmax_c( s (cos(z_i, w_c) - m [c = y_i]) )_{y_i}

  Args:
    z: [b d] embeddings.
    prototypes: [c d] learned weights of the classes.
    labels: [b] whole numbers.
    margin: m.
    scale: s.

  Returns:
    [b] nats.

  Reference: Wang, Cheng, Liu, Liu 2018, arXiv:1801.05599, Eq. 6, m = 0.35 and s = 30; Wang et al. 2018,
  arXiv:1801.09414 (CosFace).
  """
  cosine = jnp.matmul(l2_normalize(z), l2_normalize(prototypes).T, precision='highest')
  true = one_hot(labels, len(prototypes))
  return -jnp.sum(true * jax.nn.log_softmax(scale * (cosine - margin * true)), 1)


def aam_softmax(z: Array, prototypes: Array, *, labels: Array, margin: float = 0.2, scale: float = 30.0) -> Array:
  """Softmax over cosines with an additive margin on the angle to the true class.

  l_i = -log softmax_c( s (psi(theta_ic) if c = y_i else cos theta_ic) )_{y_i}
  psi(t) = cos(t + m) for t < pi - m, and cos t - m sin m beyond, where cos(t + m) would rise again

  Args:
    z: [b d] embeddings.
    prototypes: [c d] learned weights of the classes.
    labels: [b] whole numbers.
    margin: m, in radians.
    scale: s.

  Returns:
    [b] nats.

  Reference: Deng, Guo, Xue, Zafeiriou 2019, arXiv:1801.07698, Eq. 3 (m = 0.5, s = 64 for faces); Chung et al. 2020,
  arXiv:2003.11982, section 2.1; psi beyond pi - m as in its official code.
  """
  cosine = jnp.matmul(l2_normalize(z), l2_normalize(prototypes).T, precision='highest')
  square = 1 - cosine * cosine
  inside = square > 1e-12  # the sine has no finite gradient at 0 and pi
  sine = jnp.where(inside, jnp.sqrt(jnp.where(inside, square, 1)), 0)
  shifted = cosine * jnp.cos(margin) - sine * jnp.sin(margin)
  shifted = jnp.where(cosine > -jnp.cos(margin), shifted, cosine - margin * jnp.sin(margin))
  true = one_hot(labels, len(prototypes))
  return -jnp.sum(true * jax.nn.log_softmax(scale * jnp.where(true > 0, shifted, cosine)), 1)


def cores(z: Array, *, labels: Array) -> Array:
  """Softmax of a fixed classifier whose weights are the corners of a simplex, more of them than classes seen so far.

  l_i = -log softmax_c( w_c.z_i )_{y_i},   w = `simplex`(d)

  Corners of classes still to come stay in the denominator and keep room, so that features learnt later are compatible.

  Args:
    z: [b d] features as they are, for d + 1 classes in all.
    labels: [b] whole numbers below d + 1; a class keeps its number for ever.

  Returns:
    [b] nats.

  Reference: Biondi, Pernici, Bruni, Del Bimbo 2023, arXiv:2111.07632, section 4. The classifier does not learn.
  """
  logits = jnp.matmul(z.astype(jnp.float32), simplex(z.shape[1]).T, precision='highest')
  return -pick(jax.nn.log_softmax(logits), labels)


def simplex(d: int) -> Array:
  """The d + 1 corners of a regular simplex in d dimensions, of unit length: w_i.w_j = -1/d, [d+1 d]."""
  corners = jnp.concatenate([jnp.eye(d), jnp.full((1, d), (1 - jnp.sqrt(1.0 + d)) / d)])
  return l2_normalize(corners - jnp.mean(corners, 0))


def edl(logits: Array, *, labels: Array, kl_weight: float = 1.0) -> Array:
  """Evidential classification: the squared error that is expected of probabilities drawn from a Dirichlet.

  l_i = sum_j [ (y_j - a_j/A)^2 + a_j (A - a_j)/(A^2 (A + 1)) ] + w_k KL( Dir(1 + (1 - y)(a - 1)) || Dir(1) )
  a = softplus(logits) + 1, A = sum_j a_j

  Args:
    logits: [b k] of k classes.
    labels: [b] whole numbers.
    kl_weight: w_k, min(1, epoch/10) in the paper.

  Returns:
    [b].

  Reference: Sensoy, Kaplan, Kandemir 2018, arXiv:1806.01768, Eq. 5 and section 4; evidence is relu(logits) there, and
  softplus as in `i_edl` here.
  """
  a, y, error = _expected_error(logits, labels)
  return jnp.sum(error, 1) + kl_weight * _dirichlet_kl(1 + (1 - y) * (a - 1))


def i_edl(logits: Array, *, labels: Array, fisher_weight: float = 1.0, kl_weight: float = 1.0) -> Array:
  """Evidential classification, errors weighted by the Fisher information of the Dirichlet that the network puts out.

  l_i = sum_j psi1(a_j) [ (y_j - a_j/A)^2 + a_j (A - a_j)/(A^2 (A + 1)) ]
        - w_f log det F + w_k KL( Dir(1 + (1 - y)(a - 1)) || Dir(1) )
  log det F = sum_j log psi1(a_j) + log(1 - sum_j psi1(A)/psi1(a_j)),   a = softplus(logits) + 1, A = sum_j a_j

  Args:
    logits: [b k] of k classes.
    labels: [b] whole numbers.
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


def cosine_regression(q: Array, k: Array, *, labels: Array, weights: Array | None = None) -> Array:
  """Squared error between the cosine of a pair and its label: the first stage of SetFit.

  l_i = w_i (y_i - cos(q_i, k_i))^2

  Args:
    q: [b d] embeddings.
    k: [b d] their partners.
    labels: [b] similarities, 1 for the same class and 0 for another in SetFit.
    weights: [b] w, 0 for pairs that do not count; None for 1.

  Returns:
    [b].

  Reference: Reimers, Gurevych 2019, arXiv:1908.10084, section 3, regression; Tunstall et al. 2022, arXiv:2209.11055,
  section 3 (SetFit, pairs of the same and of different classes).
  """
  error = (labels - jnp.sum(l2_normalize(q) * l2_normalize(k), -1)) ** 2
  return error if weights is None else weights * error


def cosent(q: Array, k: Array, *, labels: Array, scale: float = 20.0) -> Array:
  """Ranking of pairs by their cosines, in the order of their labels.

  l = log( 1 + sum_{y_i < y_j} exp( s (cos_i - cos_j) ) ),   cos_i = cos(q_i, k_i)

  Args:
    q: [b d] embeddings.
    k: [b d] their partners.
    labels: [b] similarities; only their order matters.
    scale: s.

  Returns:
    A scalar, since the logarithm does not separate.

  Reference: Su 2022, CoSENT, after Sun et al. 2020, arXiv:2002.10857, Eq. 1; Li, Li 2023, arXiv:2309.12871, section 3,
  s = 20.
  """
  return _ranking(scale * jnp.sum(l2_normalize(q) * l2_normalize(k), -1), labels)


def angle(q: Array, k: Array, *, labels: Array, scale: float = 20.0) -> Array:
  """Ranking of pairs by the angle of their quotient in complex space, which does not saturate as the cosine does.

  l = log( 1 + sum_{y_i < y_j} exp( s (t_i - t_j) ) ),   t = |sum_d (Re + Im)( q/k |k|/|q| )_d|

  The first half of an embedding is its real part, the second its imaginary part; q/k has |k|^2 over all features in
  its denominator, so the real parts sum to the cosine.

  Args:
    q: [b d] embeddings, d even.
    k: [b d] their partners.
    labels: [b] similarities; only their order matters.
    scale: s.

  Returns:
    A scalar, since the logarithm does not separate.

  Raises:
    ValueError: for odd d.

  Reference: Li, Li 2023, arXiv:2309.12871, section 3. The order of pairs, the sum over features and s = 20 are those
  of the official code, in which larger t stands for more similar pairs.
  """
  if q.shape[-1] % 2:
    raise ValueError(f'angle splits embeddings in a real and an imaginary half, so d must be even, not {q.shape[-1]}')
  (a, b), (c, d) = jnp.split(l2_normalize(q), 2, -1), jnp.split(l2_normalize(k), 2, -1)
  return _ranking(scale * jnp.abs(jnp.sum(a * c + b * d + b * c - a * d, -1)), labels)


def entity_recovery(z: Array, candidates: Array, *, labels: Array, mask: Array | None = None) -> Array:
  """Cross entropy of finding the entity of a masked cell among the candidates of its table.

  l_i = b / sum_in m_in sum_n m_in ( -log softmax_c(z_in.e_ic)[labels_in] )

  Args:
    z: [b n d] the cells' representations, mapped to the entities' space; not scaled to unit length.
    candidates: [b c d] e, embeddings of each table's candidates, or [c d] where all tables have the same.
    labels: [b n] the place of the true entity among the candidates; not read where the mask is false.
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


def first_cross_entropy(scores: Array) -> Array:
  """Cross entropy of candidates of which the first is the right one: how a cross-encoder is trained.

  l_i = -log softmax(scores_i)[0]

  Args:
    scores: [b m].

  Returns:
    [b] nats.

  Reference: Wang et al. (SimLM) 2022, arXiv:2207.02578, section 3.2 (re-ranker); Nogueira, Cho 2019, arXiv:1901.04085, score each
  candidate by itself.
  """
  return -jax.nn.log_softmax(scores.astype(jnp.float32))[:, 0]


def paired_cross_entropy(scores: Array) -> Array:
  """Every query finds what it belongs to among all of the batch: l_i = -log softmax_j(s_ij)[i].

  Args:
    scores: [b b] s, of every query with everything, the pairs on the diagonal.

  Returns:
    [b] nats.

  Reference: Khattab, Zaharia, SIGIR 2020, arXiv:2004.12832, section 3.3, with the other passages of the batch as negatives.
  """
  return _own_class(scores.astype(jnp.float32))


def _own_class(logits: Array) -> Array:
  return jax.nn.logsumexp(logits, 1) - jnp.diagonal(logits)


def _square_distance(x: Array, y: Array) -> Array:
  inner = jnp.matmul(x, y.T, precision='highest')
  return jnp.sum(x * x, -1)[:, None] - 2 * inner + jnp.sum(y * y, -1)


def _ranking(similarity: Array, labels: Array) -> Array:
  """log(1 + sum_{y_i < y_j} exp(s_i - s_j))."""
  difference = jnp.where(labels[:, None] < labels, similarity[:, None] - similarity, -1e30)
  return jnp.logaddexp(0.0, jax.nn.logsumexp(difference))


def _expected_error(logits: Array, labels: Array) -> tuple[Array, Array, Array]:
  """Concentrations of the Dirichlet, the classes one-hot, and the squared error expected of each, all [b k]."""
  a = jax.nn.softplus(logits.astype(jnp.float32)) + 1
  total, y = jnp.sum(a, 1, keepdims=True), one_hot(labels, a.shape[1])
  return a, y, (y - a / total) ** 2 + a * (total - a) / (total * total * (total + 1))


def _dirichlet_kl(a: Array) -> Array:
  """KL(Dir(a) || Dir(1)), [b k] to [b]."""
  total = jnp.sum(a, 1, keepdims=True)
  constant = gammaln(total[:, 0]) - jnp.sum(gammaln(a), 1) - gammaln(float(a.shape[1]))
  return constant + jnp.sum((a - 1) * (digamma(a) - digamma(total)), 1)
