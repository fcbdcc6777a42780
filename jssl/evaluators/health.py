"""The health panel: label-free signs of collapse, read off a batch while training runs."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.parts.gradients import l2_normalize
from jssl.types import Array


def deviation(z: Array) -> Array:
  """How far the l2-normalised features spread: 1 all over the sphere, 0 collapsed to a point.

  sqrt(d) mean_j std_i(z_ij / |z_i|)

  Args:
    z: [n d].

  Returns:
    [], float32. A vector of independent normals gives 1; features that are never negative give less, because
    their mean takes a share of the norm.

  Reference: Chen, He, Exploring Simple Siamese Representation Learning, 2020, arXiv:2011.10566, section 4.1 and
    Figure 2, middle, where 1 / sqrt(d) stands for spread.
  """
  return jnp.sqrt(z.shape[1]) * jnp.mean(jnp.std(l2_normalize(z), 0))


def rankme(z: Array, eps: float = 1e-7) -> Array:
  """Effective rank: how many directions carry the features, in [1, min(n, d)].

  exp(-sum_k p_k log p_k),  p_k = sigma_k / sum_j sigma_j + eps,  sigma the singular values of z, not centred

  Args:
    z: [n d].
    eps: 1e-7 in the paper.

  Returns:
    [], float32; 0 where z is all zero, NaN where it is not finite.

  Reference: Garrido, Balestriero, Najman, LeCun, RankMe, ICML 2023, arXiv:2210.02885, Eq. 1 and section 3.2 (there
    on 25600 examples). The eigenvalues of a float32 Gram matrix would lose singular values under 1e-3 of the largest.
  """
  z = z.astype(jnp.float32)
  sigma = jnp.linalg.svd(z / jnp.maximum(jnp.max(jnp.abs(z)), 1e-30), compute_uv=False)
  total = jnp.sum(sigma)
  p = sigma / jnp.maximum(total, 1e-30)
  entropy = -jnp.sum(jnp.where(p == 0, 0.0, (p + eps) * jnp.log(p + eps)))
  return jnp.where(total == 0, 0.0, jnp.exp(entropy))


def lidar(z: Array, delta: float = 1e-4) -> Array:
  """Effective rank of what tells examples apart, measured in units of what their views differ by.

  exp(-sum_k p_k log p_k),  p = eigenvalues of S_w^-1/2 S_b S_w^-1/2 over their sum, where S_b is the covariance of
  the examples' mean features and S_w that of the views about them, plus delta I

  Args:
    z: [n q d], q views of each of n examples, q >= 2.
    delta: ridge on S_w; the paper does not state one.

  Returns:
    [], float32.

  Reference: Thilak et al., LiDAR, ICLR 2024, arXiv:2312.04000, Eqs. 1-4.
  """
  n, q, d = z.shape
  z = z.astype(jnp.float32)
  mean = jnp.mean(z, 1)
  between = mean - jnp.mean(mean, 0)
  within = (z - mean[:, None]).reshape(n * q, d)
  s_b = jnp.matmul(between.T, between, precision='highest') / max(n - 1, 1)
  s_w = jnp.matmul(within.T, within, precision='highest') / max(n * (q - 1), 1) + delta * jnp.eye(d)
  root = jnp.linalg.cholesky(s_w)  # L^-1 S_b L^-T has the same eigenvalues
  half = jax.scipy.linalg.solve_triangular(root, s_b, lower=True)
  whitened = jax.scipy.linalg.solve_triangular(root, half.T, lower=True)
  values = jnp.maximum(jnp.linalg.eigvalsh((whitened + whitened.T) / 2), 0.0)
  p = values / jnp.maximum(jnp.sum(values), 1e-30)
  return jnp.exp(-jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0)))


def alignment(z1: Array, z2: Array) -> Array:
  """Mean squared distance of two views of the same example on the sphere: 0 at best, 2 for unrelated views.

  E |z1_i - z2_i|^2, l2-normalised

  Reference: Wang, Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere, ICML 2020, arXiv:2005.10242, section 4.1 (alpha = 2).
  """
  return jnp.mean(jnp.sum((l2_normalize(z1) - l2_normalize(z2)) ** 2, -1))


def uniformity(z: Array, t: float = 2.0) -> Array:
  """How evenly features cover the sphere: 0 at a point, -2t where all are orthogonal; lower is more even.

  log E_{i != j} exp(-t |z_i - z_j|^2), l2-normalised

  Args:
    z: [n d]; the n x n distances are formed.
    t: 2 in the paper.

  Reference: Wang, Isola, ICML 2020, arXiv:2005.10242, section 4.1, Eq. 4.
  """
  n = len(z)
  z = l2_normalize(z)
  square = jnp.sum(z * z, 1)
  distance = square[:, None] + square - 2 * jnp.matmul(z, z.T, precision='highest')
  logits = jnp.where(jnp.eye(n, dtype=bool), -jnp.inf, -t * jnp.maximum(distance, 0.0))
  return jax.nn.logsumexp(logits) - jnp.log(n * (n - 1)) if n > 1 else jnp.float32(0)


def teacher_entropy(p: Array) -> dict[str, Array]:
  """Entropies of a teacher's assignments to K prototypes, as shares of log K.

  Args:
    p: [n K], probabilities.

  Returns:
    teacher_entropy: mean entropy of an example's assignment, 1 where every one is uniform, 0 where every one is
      one-hot; teacher_usage: entropy of the mean assignment, 1 where the prototypes are used alike, 0 where one
      takes all. Their difference is what the assignment tells about the example.

  Reference: Caron et al., arXiv:2104.14294, section 5.3 and Figure 7: without centring one dimension takes all,
    without sharpening the output goes uniform.
  """
  p = p.astype(jnp.float32)
  scale = 1 / jnp.log(max(p.shape[-1], 2))

  def entropy(p):
    return -scale * jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0), -1)

  return {'teacher_entropy': jnp.mean(entropy(p)), 'teacher_usage': entropy(jnp.mean(p, 0))}


def health(
  features: Array, pairs: tuple[Array, Array] | None = None, teacher: Array | None = None, *, most: int = 1024
) -> dict[str, Array]:
  """The panel of one batch.

  Collapse shows in what the objective compares long before it shows in the backbone, whose features stay alive for
  hundreds of steps behind a projection that has died; so give the pairs where there are any.

  Args:
    features: [n d], the backbone's pooled features.
    pairs: two views' embeddings (z1 [m k], z2 [m k]) as the objective compares them, row by row of the same examples.
      Logits over prototypes are no embeddings, low rank is their nature: give `teacher` for those.
    teacher: [m K], the teacher's probabilities.
    most: examples that the pairwise sums of uniformity take, the first ones.

  Returns:
    deviation, rankme and rank_limit = min(n, d) of the features; with pairs the same three with embedding_ before
    them, alignment, and uniformity, the mean of both views'; without pairs uniformity is the features'; with teacher
    teacher_entropy and teacher_usage. All [], float32; jittable.
  """
  panel = _spread(features)
  if pairs is None:
    panel['uniformity'] = uniformity(features[:most])
  else:
    panel |= {f'embedding_{name}': value for name, value in _spread(jnp.concatenate(pairs)).items()}
    panel['alignment'] = alignment(*pairs)
    panel['uniformity'] = (uniformity(pairs[0][:most]) + uniformity(pairs[1][:most])) / 2
  if teacher is not None:
    panel |= teacher_entropy(teacher)
  return panel


def alarm(
  panel: Mapping[str, Array | float],
  *,
  least_deviation: float = 0.05,
  least_share: float = 0.1,
  enough_rank: float = 8.5,
  least_usage: float = 0.1,
  most_entropy: float = 0.995,
) -> list[str]:
  """What the panel warns of, in words; empty where all is well. On the host, with the arrays that `health` gave.

  The thresholds lie between what small runs showed when healthy and what they showed when broken (MNIST-5k, three
  backbones 128 wide, a projector of 64 to 256, batches of 128, the lowest of every 200 steps, the start included):

    complete collapse     deviation < 0.05. Healthy: 0.21 and more for features that are never negative, 0.36 and more
                          for embeddings. Collapsed: 0.04 and falling, once rounding or batch norm's noise is all
                          that is left.
    dimensional collapse  RankMe < min(8.5, min(n, d) / 10), or < 1.2 where that is more. Healthy: 13 to 60 of 128,
                          9 of 64. Without stop-gradient or predictor embeddings fell to 8, 7, 4 and 2 of 128 in 200
                          steps. Ten classes told apart perfectly, and nothing else, take 9 directions, so a wide
                          network on a simple set stays silent.
    one-hot collapse      teacher_usage < 0.1. Healthy: 0.8 and more; ten prototypes of 65536 in use still give 0.2.
                          Without centring: 0.09 after 100 steps and falling.
    uniform collapse      teacher_entropy > 0.995. Healthy: 0.985 at most, in the first steps. Without sharpening:
                          1.000.

  At the start of training nothing should be read into a single alarm; one that stays is meant.

  Args:
    panel: as `health` gives it.
    least_deviation: of features and embeddings.
    least_share: of RankMe in min(n, d).
    enough_rank: a RankMe that never alarms.
    least_usage: of the prototypes.
    most_entropy: of the teacher.

  Returns:
    One line an alarm.
  """
  read = {name: float(value) for name, value in panel.items()}
  lost = [name for name, value in read.items() if value != value]
  if lost:
    return [f'not a number: {", ".join(lost)}']
  found = []
  for prefix, what in (('', 'features'), ('embedding_', 'embeddings')):
    if f'{prefix}rankme' not in read:
      continue
    spread, rank, limit = (read[prefix + name] for name in ('deviation', 'rankme', 'rank_limit'))
    least = min(enough_rank, max(1.2, least_share * limit))
    if spread < least_deviation:
      found.append(f'complete collapse of the {what}: their deviation is {spread:.2g}, below {least_deviation:g}')
    elif rank < least:
      found.append(f'dimensional collapse of the {what}: RankMe is {rank:.1f} of {limit:.0f}, below {least:.1f}')
  if read.get('teacher_usage', 1.0) < least_usage:
    found.append(f'one-hot collapse: the mean teacher has {read["teacher_usage"]:.1%} of the entropy it could have')
  if read.get('teacher_entropy', 0.0) > most_entropy:
    found.append(f'uniform collapse: the teacher has {read["teacher_entropy"]:.1%} of the entropy it could have')
  return found


def _spread(z: Array) -> dict[str, Array]:
  return {'deviation': deviation(z), 'rankme': rankme(z), 'rank_limit': jnp.float32(min(z.shape))}
