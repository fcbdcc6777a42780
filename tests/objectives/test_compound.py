"""Objectives made of others, against loops in NumPy with their draws made again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.objectives import info_nce, kl_align, simcse
from jssl.objectives.compound import matryoshka, matryoshka_2d, missing_mmd
from jssl.objectives.discrepancy import conditional_mmd, doubly_robust, imputed, inverse_propensity, observed_only
from jssl.types import fold

B, L, D = 5, 4, 8
DIMS = (2, 3, 5)


def square(q, k):
  """A stand-in with a plain form: the mean over examples of |q - k|^2."""
  return jnp.sum((q - k) ** 2, -1)


def apart(shallow, last):
  return jnp.sum(jnp.abs(shallow - last), -1)


def by_hand(q, k, layer, d, c=1.0, s=1.0, a=1.0):
  """l(E_N^D) + c l(E_N^d) + s (l(E_n^D) + c l(E_n^d)) + a (align(E_n^D, E_N^D) + align(E_n^d, E_N^d)), one number at a time."""
  q, k = np.asarray(q, np.float64), np.asarray(k, np.float64)

  def loss(layer, d):
    return sum(sum((q[i, layer, j] - k[i, layer, j]) ** 2 for j in range(d)) for i in range(B)) / B

  def near(d):
    return sum(sum(abs(x[i, layer, j] - x[i, -1, j]) for j in range(d)) for x in (q, k) for i in range(B)) / (2 * B)

  return loss(-1, D) + c * loss(-1, d) + s * (loss(layer, D) + c * loss(layer, d)) + a * (near(D) + near(d))


def views(seed=0):
  return jnp.asarray(np.random.default_rng(seed).normal(size=(2, B, L, D)), jnp.float32)


def drawn(key):
  return int(jax.random.randint(fold(key, 0), (), 0, L - 1)), DIMS[int(jax.random.randint(fold(key, 1), (), 0, len(DIMS)))]


def test_matryoshka_is_the_sum_over_sizes():
  q, k = views()[:, :, 0]
  negatives, ids = views(3)[0, :, :2], jnp.array([0, 1, 0, 2, 3])
  cut = lambda d: [np.asarray(x, np.float64)[:, :d] for x in (q, k)]
  expected = [sum(c * sum((a[i, j] - b[i, j]) ** 2 for j in range(d)) for d, c in ((2, 0.5), (5, 2.0)) for a, b in [cut(d)]) for i in range(B)]
  np.testing.assert_allclose(matryoshka(q, k, objective=square, dims=(2, 5), weights=(0.5, 2.0)), expected, rtol=1e-5)
  each = [info_nce(q[:, :d], k[:, :d], negatives=negatives[..., :d], ids=ids) for d in (3, D)]
  np.testing.assert_allclose(matryoshka(q, k, objective=info_nce, dims=(3, D), negatives=negatives, ids=ids), sum(each), rtol=1e-5)
  gradient = jax.grad(lambda q: jnp.sum(matryoshka(q, k, objective=square, dims=(2, 5))))(q)
  assert set(np.flatnonzero(np.abs(gradient).sum(0))) == set(range(5)), 'features beyond the largest size have no gradient'


@pytest.mark.parametrize('options', [dict(dims=()), dict(dims=(0, 4)), dict(dims=(4, D + 1)), dict(dims=(4,), weights=(1.0, 2.0))])
def test_matryoshka_refuses_sizes_that_do_not_fit(options):
  with pytest.raises(ValueError, match='expected numbers from 1 to 8, and one weight for each'):
    matryoshka(*views()[:, :, 0], objective=square, **options)


@pytest.mark.parametrize('weights', [(1.0, 1.0, 1.0), (0.5, 2.0, 0.0), (0.0, 0.0, 0.0), (0.0, 1.5, 3.0)])
def test_matryoshka_2d_is_the_formula(weights):
  q, k = views()
  names = dict(zip(('cut_weight', 'layer_weight', 'align_weight'), weights, strict=True))
  loss = jax.jit(lambda q, k, key: matryoshka_2d(q, k, key=key, objective=square, align=apart, dims=DIMS, **names))
  seen = set()
  for seed in range(12):
    key = jax.random.key(seed)
    seen.add(drawn(key))
    np.testing.assert_allclose(loss(q, k, key), by_hand(q, k, *drawn(key), *weights), rtol=1e-5)
  assert {layer for layer, _ in seen} == {0, 1, 2} and {d for _, d in seen} == set(DIMS)


def test_matryoshka_2d_without_its_parts_is_the_objective_alone():
  q, k = views(1)
  make = lambda **weights: matryoshka_2d(q, k, key=jax.random.key(0), objective=simcse, align=kl_align, dims=(4,), **weights)
  plain = make(cut_weight=0.0, layer_weight=0.0, align_weight=0.0)
  np.testing.assert_allclose(plain, jnp.mean(simcse(q[:, -1], k[:, -1])), rtol=1e-6)
  layer = int(jax.random.randint(fold(jax.random.key(0), 0), (), 0, L - 1))
  ell = lambda layer, d: float(jnp.mean(simcse(q[:, layer, :d], k[:, layer, :d])))
  near = lambda d: np.mean([float(jnp.mean(kl_align(x[:, layer, :d], x[:, -1, :d]))) for x in (q, k)])
  whole = ell(-1, D) + ell(-1, 4) + ell(layer, D) + ell(layer, 4) + near(D) + near(4)
  np.testing.assert_allclose(make(), whole, rtol=1e-5)
  gradient = jax.grad(lambda q: matryoshka_2d(q, k, key=jax.random.key(0), objective=square, align=apart, dims=(4,)))(q)
  assert np.isfinite(gradient).all() and set(np.flatnonzero(np.abs(gradient).sum((0, 2)))) == {layer, L - 1}


def test_matryoshka_2d_needs_two_blocks():
  q, k = views()[:, :, :1]
  with pytest.raises(ValueError, match='give it two or more'):
    matryoshka_2d(q, k, key=jax.random.key(0), objective=square, align=apart)


@pytest.mark.parametrize('diagonal', [True, False])
@pytest.mark.parametrize(
  ('estimator', 'given'),
  [
    (observed_only, ('nuisance', 'seen')),
    (inverse_propensity, ('nuisance', 'seen', 'propensity')),
    (imputed, ('imputation',)),
    (doubly_robust, ('nuisance', 'seen', 'propensity', 'imputation')),
  ],
)
def test_missing_mmd_is_that_of_the_estimators_weights(estimator, given, diagonal):
  rng = np.random.default_rng(0)
  b = 40
  seen = jnp.asarray(rng.integers(0, 2, b))
  columns = dict(
    nuisance=jnp.where(seen, rng.integers(0, 2, b), -9), seen=seen,
    propensity=jnp.asarray(rng.uniform(0.2, 0.9, b), jnp.float32), imputation=jnp.asarray(rng.random(b), jnp.float32),
  )  # fmt: skip
  q, y = jnp.asarray(rng.normal(size=(b, 3)), jnp.float32), jnp.asarray(rng.integers(0, 3, b))
  found = missing_mmd(q, y, **{name: columns[name] for name in given}, estimator=estimator, classes=3, diagonal=diagonal)
  one, zero = estimator(*(columns[name] for name in given))
  np.testing.assert_allclose(found, conditional_mmd(q, one, zero, y, classes=3, diagonal=diagonal), rtol=1e-6)
