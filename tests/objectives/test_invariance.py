"""The weighted MMD against loops, and missing nuisances against the oracle that sees them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.objectives.discrepancy import conditional_mmd, doubly_robust, imputed, inverse_propensity, mmd, observed_only
from jssl.ops.cross_fit import cross_fit


def oracle(q, one, zero, scales=(0.5, 1.0, 2.0), diagonal=True):
  q = np.asarray(q, np.float64)
  n = len(q)
  square = np.array([[np.sum((q[i] - q[j]) ** 2) for j in range(n)] for i in range(n)])
  m, total = square.mean(), 0.0
  for a, b, sign in ((one, one, 1), (zero, zero, 1), (one, zero, -2)):
    above = below = 0.0
    for i in range(n):
      for j in range(n):
        if diagonal or i != j:
          k = np.mean([np.exp(-square[i, j] / (2 * s * s * m)) for s in scales])
          above, below = above + a[i] * b[j] * k, below + a[i] * b[j]
    total += sign * above / below
  return total


@pytest.mark.parametrize('diagonal', [True, False])
def test_is_the_double_loop(diagonal):
  rng = np.random.default_rng(0)
  q, one = rng.normal(size=(12, 3)) + 5, rng.random(12)
  ours = jax.jit(lambda *a: mmd(*a, diagonal=diagonal))(q, one, 1.2 - one)
  assert abs(ours - oracle(q, one, 1.2 - one, diagonal=diagonal)) < 1e-5


def test_conditional_is_the_sum_over_classes():
  rng = np.random.default_rng(0)
  q, z, y = rng.normal(size=(30, 3)).astype(np.float32), rng.integers(0, 2, 30), rng.integers(0, 3, 30)
  within = [oracle(q, z * (y == c), (1 - z) * (y == c)) for c in range(3)]
  assert abs(jax.jit(lambda *a: conditional_mmd(*a, classes=3))(q, z, 1 - z, y) - sum(within)) < 1e-5


def test_grows_with_the_gap_and_vanishes_without():
  rng = np.random.default_rng(0)
  z, noise = rng.integers(0, 2, 200), rng.normal(size=(200, 2))
  f = jax.jit(lambda q: mmd(q, jnp.asarray(z), jnp.asarray(1 - z), diagonal=False))
  found = [float(f(noise + gap * z[:, None])) for gap in (0.0, 1.0, 3.0)]
  assert abs(found[0]) < 0.02 < found[1] < found[2]


def test_descent_removes_the_nuisance():
  rng = np.random.default_rng(0)
  z = rng.integers(0, 2, 128)
  x = jnp.asarray(rng.normal(size=(128, 4)) + 2 * z[:, None] * np.eye(4)[0], jnp.float32)
  loss = jax.jit(lambda w: mmd(x @ w, jnp.asarray(z), jnp.asarray(1 - z)))
  step = jax.jit(lambda w: w - 2 * jax.grad(loss)(w))
  w = jnp.eye(4)[:, :2]
  before = loss(w)
  for _ in range(60):
    w = step(w)
  w, after = np.asarray(w), loss(w)
  assert after < 0.2 * before and np.abs(w[0]).max() < 0.3 * np.abs(w[1:]).max()


def test_degenerate_values_and_gradients_are_finite():
  grad = jax.jit(jax.value_and_grad(mmd))
  z = jnp.array([1.0, 0, 1, 0])
  for q in (jnp.zeros((4, 3)), jnp.ones((4, 3)), jax.random.normal(jax.random.key(0), (4, 3))):
    for one, zero in ((z, 1 - z), (z, 0 * z), (0 * z, 0 * z)):
      value, g = grad(q, one, zero)
      assert np.isfinite(value) and np.isfinite(g).all()
  assert grad(jnp.eye(4)[:, :3], z, 0 * z)[0] == 0
  with pytest.raises(ValueError, match='scales'):
    mmd(jnp.eye(4), z, z, scales=())


def planted(seed, n=1500):
  """z and whether it is seen both depend on x, and so does the representation: what is seen is no fair sample."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(n, 3))
  sigmoid = lambda a: 1 / (1 + np.exp(-a))
  m, e = sigmoid(2 * x[:, 0] + x[:, 1]), sigmoid(0.7 - 1.4 * x[:, 0])
  z, seen = (rng.random(n) < m).astype(int), (rng.random(n) < e).astype(int)
  q = np.stack([x[:, 0], x[:, 1]], 1) + 0.5 * rng.normal(size=(n, 2))
  return x, q.astype(np.float32), np.where(seen, z, -9), z, seen, e.astype(np.float32), m.astype(np.float32)


def test_doubly_robust_comes_near_the_oracle_where_observed_only_is_biased():
  f = jax.jit(lambda q, w: mmd(q, *w, diagonal=False))
  errors = {k: [] for k in ('observed', 'reweighted', 'imputed', 'robust', 'wrong_e', 'wrong_m')}
  for seed in range(8):
    x, q, z, full, seen, _, _ = planted(seed, 800)
    e, m = cross_fit(x, z, seen, key=jax.random.key(seed))
    half = np.full_like(e, 0.5)
    truth = f(q, observed_only(full, np.ones_like(seen)))
    weights = dict(
      observed=observed_only(z, seen),
      reweighted=inverse_propensity(z, seen, e),
      imputed=imputed(m),
      robust=doubly_robust(z, seen, e, m),
      wrong_e=doubly_robust(z, seen, half, m),
      wrong_m=doubly_robust(z, seen, e, half),
    )
    for name, w in weights.items():
      errors[name].append(float(f(q, w) - truth))
  bias = {k: abs(np.mean(v)) for k, v in errors.items()}
  size = {k: np.mean(np.abs(v)) for k, v in errors.items()}
  for name in ('robust', 'wrong_e', 'wrong_m'):
    assert bias[name] < 0.5 * bias['observed'] and size[name] < 0.75 * size['observed']


def test_weights_are_the_formulas_and_ignore_what_is_missing():
  x, q, z, full, seen, e, m = planted(0, 50)
  w1, w0 = map(np.asarray, doubly_robust(z, seen, e, m))
  for i in range(50):
    d = full[i] if seen[i] else 0.0
    np.testing.assert_allclose(w1[i], m[i] + seen[i] / e[i] * (d - m[i]), rtol=1e-4)
    np.testing.assert_allclose(w0[i], (1 - m[i]) + seen[i] / e[i] * ((1 - d) - (1 - m[i])), rtol=1e-3, atol=1e-5)
  assert np.all(observed_only(z, seen)[0] == seen * full)
  assert np.all(observed_only(z, seen)[1] == seen * (1 - full))


def test_cross_fit_recovers_both_models_and_never_sees_its_own_example():
  x, _, z, _, seen, e, m = planted(0)
  e_hat, m_hat = cross_fit(x, z, seen, key=jax.random.key(0))
  assert np.mean(np.abs(e_hat - np.maximum(e, 0.05))) < 0.04 and np.mean(np.abs(m_hat - m)) < 0.05
  other = z.copy()
  other[seen == 0] = 7  # what is missing is not read
  np.testing.assert_array_equal(cross_fit(x, other, seen, key=jax.random.key(0))[1], m_hat)
  with pytest.raises(ValueError, match='observed'):
    cross_fit(x, z, 0 * seen, key=jax.random.key(0))
