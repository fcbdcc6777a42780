"""The health panel, and the alarm of collapse."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jssl.metrics.geometry import alignment, uniformity
from jssl.metrics.spectrum import rankme
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def deviation(z: Float[Array, 'n d']) -> Float[Array, '']:
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


def teacher_entropy(p: Float[Array, 'n K']) -> dict[str, Float[Array, '']]:
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
  features: Float[Array, 'n d'],
  pairs: tuple[Float[Array, 'm k'], Float[Array, 'm k']] | None = None,
  teacher: Float[Array, 'p K'] | None = None,
  *,
  most: int = 1024,
) -> dict[str, Float[Array, ''] | float]:
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
    teacher_entropy and teacher_usage. All [], float32, ranks of NumPy arrays float64; jittable, although XLA takes long
    to compile the ranks of wide features: `ranked` gives the same without.
  """
  panel, matrices = measured(features, pairs, teacher, most=most)
  return panel | {name: rankme(z) for name, z in matrices.items()}


def ranked(panel: Mapping[str, Float[Array, '']], matrices: Mapping[str, Float[Array, '_ _']]) -> dict[str, float]:
  """The panel of `health` from what `measured` gave, on the host: the ranks are computed in NumPy, in float64.

  Args:
    panel: figures.
    matrices: name of a rank -> the matrix that it is of.
  """
  from threadpoolctl import threadpool_limits

  with threadpool_limits(1):  # the threads of LAPACK spin at barriers: ten times slower where other processes share the cores
    ranks = {name: float(rankme(np.asarray(z))) for name, z in matrices.items()}
  return {name: float(x) for name, x in panel.items()} | ranks


def measured(
  features: Float[Array, 'n d'],
  pairs: tuple[Float[Array, 'm k'], Float[Array, 'm k']] | None = None,
  teacher: Float[Array, 'p K'] | None = None,
  *,
  most: int = 1024,
) -> tuple[dict[str, Float[Array, '']], dict[str, Float[Array, '_ _']]]:
  """All of `health` that takes no spectrum, and the matrices whose spectra it takes, by the name of their rank; to be jitted."""
  panel, matrices = _spread(features), {'rankme': features}
  if pairs is None:
    panel['uniformity'] = uniformity(features[:most])
  else:
    matrices['embedding_rankme'] = jnp.concatenate(pairs)
    panel |= {f'embedding_{name}': value for name, value in _spread(matrices['embedding_rankme']).items()}
    panel['alignment'] = alignment(*pairs)
    panel['uniformity'] = (uniformity(pairs[0][:most]) + uniformity(pairs[1][:most])) / 2
  if teacher is not None:
    panel |= teacher_entropy(teacher)
  return panel, matrices


def alarm(
  panel: Mapping[str, Float[Array, ''] | float],
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
                          steps. Ten perfectly separated classes, and nothing else, take 9 directions, so a wide
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
  return {'deviation': deviation(z), 'rank_limit': jnp.float32(min(z.shape))}
