"""Objectives composed of other objectives, which are options."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, Num

from jssl.objectives.discrepancy import conditional_mmd
from jssl.types import Array, Estimator, Key, Objective, fold


def matryoshka(
  q: Float[Array, 'b d'],
  k: Float[Array, 'b d'],
  *,
  objective: Objective,
  dims: Sequence[int] = (8, 16, 32, 64),
  weights: Sequence[float] | None = None,
  negatives: Float[Array, 'b ... d'] | None = None,
  ids: Int[Array, ' b'] | None = None,
) -> Float[Array, ' b'] | Float[Array, '']:
  """The sum of an objective over embeddings that are cut to their first features (Matryoshka representation learning).

  l = sum_m c_m L(q_{1:m}, k_{1:m})

  Args:
    q: [b d] embeddings of one view.
    k: [b d] those of the other view.
    objective: L, (q: [b m], k: [b m]) -> [b] or scalar.
    dims: the numbers m of features.
    weights: c, one for each m; None for 1.
    negatives: [b d] or [b c d] hard negatives, cut too and passed to the objective; None if it takes none.
    ids: [b] integers, passed to the objective: rows of equal id are not negatives of each other; None if it takes no ids.

  Returns:
    What the objective returns.

  Raises:
    ValueError: if a number of features is not between 1 and d, or there is not one weight for each.

  Reference: Kusupati et al., NeurIPS 2022, arXiv:2205.13147, Eq. 1, c_m = 1; there L is the cross entropy of a linear classifier, or the
  contrast of a pair of encoders (ALIGN) after cut embeddings are scaled to unit length.
  """
  weights = [1.0] * len(dims) if weights is None else weights
  if not dims or not 1 <= min(dims) <= max(dims) <= q.shape[-1] or len(weights) != len(dims):
    raise ValueError(f'dims={tuple(dims)} and {len(weights)} weights: expected numbers from 1 to {q.shape[-1]}, and one weight for each')
  more = {} if ids is None else {'ids': ids}
  hard = lambda m: {} if negatives is None else {'negatives': negatives[..., :m]}
  return sum(c * objective(q[..., :m], k[..., :m], **hard(m), **more) for m, c in zip(dims, weights, strict=True))


def matryoshka_2d(
  q: Float[Array, 'b l d'],
  k: Float[Array, 'b l d'],
  *,
  key: Key,
  objective: Objective,
  align: Objective,
  dims: Sequence[int] = (8, 16, 32, 64),
  cut_weight: float = 1.0,
  layer_weight: float = 1.0,
  align_weight: float = 1.0,
  ids: Int[Array, ' b'] | None = None,
) -> Float[Array, '']:
  """An objective on the last layer and on a random one, with all features and with the first d (2DMSE).

  l = l(E_N^D) + c l(E_N^d) + s ( l(E_n^D) + c l(E_n^d) ) + a ( align(E_n^D, E_N^D) + align(E_n^d, E_N^d) )

  Args:
    q: [b l d] pooled features of every block of one view, the last one last.
    k: [b l d] those of the other view.
    key: random key for n and d.
    objective: l, (q: [b d], k: [b d]) -> [b] or scalar.
    align: (shallow: [b d], last: [b d]) -> [b], averaged over both views.
    dims: values from which d is drawn.
    cut_weight: c, weight of the truncated embeddings; with c = s = a = 0 only the objective of the last layer remains.
    layer_weight: s, weight of the layer n, which is drawn from 1 to N - 1.
    align_weight: a.
    ids: [b] integers, passed to the objective: rows of equal id are not negatives of each other; None if it takes no ids.

  Returns:
    A scalar.

  Raises:
    ValueError: if there is only one block.

  Reference: Li, Li, Li, Xie, Li, ICML 2024, arXiv:2402.14776, section 3.
  """
  if q.shape[1] < 2:
    raise ValueError('matryoshka_2d draws one of the blocks before the last, and the encoder has 1: give it two or more')
  z = jnp.stack([q, k], 1)  # [b v l d]
  apart = {} if ids is None else {'ids': ids}
  loss = lambda z: jnp.mean(objective(z[:, 0], z[:, 1], **apart))
  near = lambda shallow, last: jnp.mean(align(shallow.reshape(-1, shallow.shape[-1]), last.reshape(-1, last.shape[-1])))
  layer = jax.random.randint(fold(key, 0), (), 0, z.shape[2] - 1)
  last, shallow = z[:, :, -1], jnp.take(z, layer, 2)

  def cut(d, last, shallow):
    last, shallow = last[..., :d], shallow[..., :d]
    return cut_weight * (loss(last) + layer_weight * loss(shallow)) + align_weight * near(shallow, last)

  whole = loss(last) + layer_weight * loss(shallow) + align_weight * near(shallow, last)
  drawn = jax.random.randint(fold(key, 1), (), 0, len(dims))
  return whole + jax.lax.switch(drawn, [lambda *z, d=d: cut(d, *z) for d in dims], last, shallow)


def missing_mmd(
  q: Float[Array, 'b d'],
  y: Int[Array, ' b'],
  nuisance: Num[Array, ' b'] | None = None,
  seen: Num[Array, ' b'] | Bool[Array, ' b'] | None = None,
  propensity: Float[Array, ' b'] | None = None,
  imputation: Float[Array, ' b'] | None = None,
  *,
  estimator: Estimator,
  classes: int,
  diagonal: bool = True,
) -> Float[Array, '']:
  """Dependence of representations on a partly missing nuisance, given the label: `conditional_mmd` of weighted samples.

  Args:
    q: [b d] representations.
    y: [b] labels.
    nuisance: [b] in {0, 1}; values where it is missing are ignored.
    seen: [b] whether it is observed.
    propensity: [b] P(seen | the rest).
    imputation: [b] P(nuisance = 1 | the rest).
    estimator: (those of the four columns that are given, in this order) -> weights of the two samples, [b] each.
    classes: number of labels.
    diagonal: as in `mmd`.

  Returns:
    A scalar.

  Reference: Goldstein et al., NeurIPS workshop 2021, arXiv:2112.00881, section 3.
  """
  given = [x for x in (nuisance, seen, propensity, imputation) if x is not None]
  one, zero = estimator(*given)
  return conditional_mmd(q, one, zero, y, classes=classes, diagonal=diagonal)
