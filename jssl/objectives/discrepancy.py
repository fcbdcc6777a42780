"""Objectives that make a representation independent of a nuisance, also where the nuisance is often missing."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, Num

from jssl.ops.look_up import one_hot
from jssl.types import Array


def mmd(
  q: Float[Array, 'b d'],
  one: Float[Array, ' b'],
  zero: Float[Array, ' b'],
  *,
  scales: tuple[float, ...] = (0.5, 1.0, 2.0),
  distance: float | None = None,
  diagonal: bool = True,
) -> Float[Array, '']:
  """Squared maximum mean discrepancy between two weighted samples of one batch.

  mean of k under w1 w1' - 2 mean of k under w1 w0' + mean of k under w0 w0'
  k(r, r') = mean over s of exp(-|r - r'|^2 / (2 s^2 m)),   m = `distance`, or the mean squared distance in the batch, held constant

  With w1 = 1[z = 1] and w0 = 1[z = 0] this is the plain MMD between the two values of a nuisance z. With estimated indicators
  (`doubly_robust` and the others below) some z may be missing.

  Args:
    q: [b d] representations.
    one: [b] w1, weights of the first sample; may be fractional or negative.
    zero: [b] w0, weights of the second.
    scales: s, bandwidths in units of the root of m.
    distance: m; None for the mean squared distance in the batch.
    diagonal: True for the V-statistic. False leaves out i = j, which makes the estimate unbiased, possibly negative, and removes the
      squares of large weights.

  Returns:
    A scalar, float32; 0 where the weights of a sample sum to 0.

  Raises:
    ValueError: if there are no scales.

  Reference: Gretton, Borgwardt, Rasch, Schölkopf, Smola 2012, JMLR 13, Lemma 6 and Eq. 5, weighted; Goldstein,
    Jacobsen, Chau, Saporta, Puli, Ranganath, Miller 2021, arXiv:2112.00881, for its use here. The mixture of bandwidths is our choice.
  """
  if not scales:
    raise ValueError(f'mmd(scales={scales}): give at least one bandwidth, in units of the mean distance')
  q = q.astype(jnp.float32)
  one, zero = one.astype(jnp.float32), zero.astype(jnp.float32)
  centred = q - jnp.mean(q, 0)  # distances computed from products are most accurate for centred data
  size = jnp.sum(centred**2, 1)
  product = jnp.matmul(centred, centred.T, precision='highest')
  square = jnp.maximum(size[:, None] + size[None] - 2 * product, 0.0) * (1 - jnp.eye(len(q)))
  m = jnp.maximum(jax.lax.stop_gradient(jnp.mean(square)), 1e-12) if distance is None else distance
  k = sum(jnp.exp(-square / (2 * s * s * m)) for s in scales) / len(scales)

  def mean(a, b):
    pairs = a[:, None] * b[None]
    pairs = pairs if diagonal else pairs * (1 - jnp.eye(len(q)))
    total = jnp.sum(pairs)
    alive = jnp.abs(total) > 1e-6
    return jnp.where(alive, jnp.sum(pairs * k) / jnp.where(alive, total, 1.0), 0.0), alive

  (a, some), (b, any_), (c, both) = mean(one, one), mean(zero, zero), mean(one, zero)
  return jnp.where(some & any_ & both, a + b - 2 * c, 0.0)


def conditional_mmd(
  q: Float[Array, 'b d'],
  one: Float[Array, ' b'],
  zero: Float[Array, ' b'],
  y: Int[Array, ' b'],
  *,
  classes: int,
  scales: tuple[float, ...] = (0.5, 1.0, 2.0),
  diagonal: bool = True,
) -> Float[Array, '']:
  """Sum over the classes of the `mmd` within each: independence of the nuisance given the label.

  Args:
    q: [b d] representations.
    one: [b] weights of the first sample.
    zero: [b] weights of the second.
    y: [b] int, labels.
    classes: number of classes.
    scales: as in `mmd`.
    diagonal: as in `mmd`.

  Returns:
    A scalar, float32.

  Reference: Goldstein et al. 2021, arXiv:2112.00881; Veitch, D'Amour, Yadlowsky, Eisenstein 2021, arXiv:2106.00545,
    section 3, for the conditioning on the label.
  """
  within = one_hot(y, classes).T  # [classes b]
  each = jax.vmap(lambda w: mmd(q, one * w, zero * w, scales=scales, diagonal=diagonal))
  return jnp.sum(each(within))


def observed_only(z: Num[Array, ' b'], seen: Num[Array, ' b'] | Bool[Array, ' b']) -> tuple[Float[Array, ' b'], Float[Array, ' b']]:
  """Weights (w1, w0) that leave out examples without z: w1 = seen 1[z = 1]. Biased unless z is missing completely at random.

  Args:
    z: [b] in {0, 1}; values where it is missing are ignored.
    seen: [b] Delta, whether z is observed.

  Returns:
    Two arrays [b], float32.
  """
  z, seen = _clean(z, seen)
  return seen * z, seen * (1 - z)


def inverse_propensity(
  z: Num[Array, ' b'], seen: Num[Array, ' b'] | Bool[Array, ' b'], e: Float[Array, ' b']
) -> tuple[Float[Array, ' b'], Float[Array, ' b']]:
  """Inverse propensity weights (w1, w0): w1 = seen / e 1[z = 1].

  Args:
    z: [b] in {0, 1}.
    seen: [b] Delta, whether z is observed.
    e: [b] P(seen | the rest), above 0.

  Returns:
    Two arrays [b], float32.
  """
  z, seen = _clean(z, seen)
  return seen / e * z, seen / e * (1 - z)


def imputed(m: Float[Array, ' b']) -> tuple[Float[Array, ' b'], Float[Array, ' b']]:
  """Weights (w1, w0) = (m, 1 - m): the nuisance predicted from the other variables.

  Args:
    m: [b] P(z = 1 | the rest).

  Returns:
    Two arrays [b], float32.
  """
  m = m.astype(jnp.float32)
  return m, 1 - m


def doubly_robust(
  z: Num[Array, ' b'], seen: Num[Array, ' b'] | Bool[Array, ' b'], e: Float[Array, ' b'], m: Float[Array, ' b']
) -> tuple[Float[Array, ' b'], Float[Array, ' b']]:
  """Weights (w1, w0) that are unbiased if e or m is correct.

  w1 = m + seen / e (1[z = 1] - m),   w0 = 1 - w1

  Args:
    z: [b] in {0, 1}; values where it is missing are ignored.
    seen: [b] Delta, whether z is observed.
    e: [b] P(seen | the rest), above 0.
    m: [b] P(z = 1 | the rest).

  Returns:
    Two arrays [b], float32.

  Reference: Robins, Rotnitzky, Zhao 1994, doi:10.1080/01621459.1994.10476818, for the estimator; Goldstein et al.
    2021, arXiv:2112.00881, for its use in the MMD. For i != j the product of two such weights is doubly robust as
    well, since examples are independent; use `mmd(diagonal=False)`.
  """
  z, seen = _clean(z, seen)
  one = m + seen / e * (z - m)
  return one, 1 - one


def _clean(z: Array, seen: Array) -> tuple[Array, Array]:
  seen = seen.astype(jnp.float32)
  return jnp.where(seen > 0, z, 0).astype(jnp.float32), seen
