"""INLP and LEACE against definitions, and as cures for a planted leak."""

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from jssl.ops.logistic import logistic, logits
from jssl.transforms import inlp, leace, random_directions


@pytest.fixture(scope='module')
def planted():
  """A main label with 6 directions of its own, and an attribute correlated with it 80/20 that leaks along 2 others."""
  rng = np.random.default_rng(0)
  n, d = 2000, 32
  y = rng.integers(0, 4, n)
  z = np.where(rng.random(n) < 0.8, y % 2, 1 - y % 2)
  basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
  x = rng.normal(size=(n, d)) + 2.5 * np.eye(4)[y] @ basis[:4] + (2 * z - 1)[:, None] * (1.5 * basis[4] + basis[5])
  return x.astype(np.float32), y, z


def probe(x, y):
  half = len(x) // 2
  x = np.asarray(x)
  return LogisticRegression(max_iter=500).fit(x[:half], y[:half]).score(x[half:], y[half:])


def test_logistic_is_that_of_sklearn():
  x, y = load_digits(return_X_y=True)
  x, l2 = (x[:600] / 16).astype(np.float32), 1e-2
  ours = jax.jit(logistic)(x, jax.nn.one_hot(y[:600], 10), l2=l2)
  theirs = LogisticRegression(C=1 / (600 * l2), max_iter=2000, tol=1e-8).fit(x, y[:600])
  np.testing.assert_allclose(ours.weights.T, theirs.coef_, atol=5e-3)
  p = np.asarray(jax.nn.softmax(logits(ours, x)))
  np.testing.assert_allclose(p, theirs.predict_proba(x), atol=2e-3)


def test_logistic_leaves_out_what_weighs_nothing():
  rng = np.random.default_rng(0)
  x, y = rng.normal(size=(80, 3)).astype(np.float32), rng.integers(0, 2, 80)
  part = jax.jit(logistic)(x[:50], jax.nn.one_hot(y[:50], 2))
  whole = jax.jit(logistic)(x, jax.nn.one_hot(y, 2), np.arange(80) < 50)
  np.testing.assert_allclose(part.weights, whole.weights, atol=1e-5)


def test_inlp_guards_the_attribute_and_keeps_the_label(planted):
  x, y, z = planted
  t = inlp(classes=2, rounds=6)
  state = jax.jit(t.fit)(x, z)
  guarded = t.apply(state, x)
  majority = max(np.mean(z), 1 - np.mean(z))
  # y itself still tells about z: what is left to read is what comes from the label's own 4 directions
  assert probe(x, z) > 0.9
  assert probe(guarded, z) < majority + 0.05
  assert probe(x, y) > 0.85
  control = random_directions(dim=int(state.kept.sum()))
  assert probe(control.apply(control.fit(x), x), z) > 0.85
  assert probe(guarded, y) > 0.5


def test_inlp_projects_out_one_orthogonal_direction_a_round(planted):
  x, _, z = planted
  state = jax.jit(inlp(rounds=5, margin=-1.0).fit)(x, z)
  p = np.asarray(state.projection, np.float64)
  np.testing.assert_allclose(p, p.T, atol=1e-5)
  np.testing.assert_allclose(p @ p, p, atol=1e-5)
  assert abs(np.trace(p) - (32 - 5)) < 1e-3
  assert state.accuracy[0] > 0.95 and state.accuracy[-1] < 0.6


def test_inlp_equals_the_product_of_nullspace_projections(planted):
  """Reference: sklearn's classifier and P = N_n ... N_1, one at a time."""
  x, _, z = planted
  p = np.eye(32)
  for _ in range(3):
    w = LogisticRegression(C=1 / (len(x) * 1e-2), tol=1e-8, max_iter=1000).fit(x @ p, z).coef_[0]
    p = p @ (np.eye(32) - np.outer(w, w) / (w @ w))
  # the softmax over two classes splits w in halves, so half its penalty per squared length
  state = jax.jit(inlp(rounds=3, l2=2e-2, margin=-1.0).fit)(x, z)
  np.testing.assert_allclose(state.projection, p, atol=5e-3)


def test_inlp_removes_many_classes_at_once():
  x, y = load_digits(return_X_y=True)
  x, y = ((x[:800] - x.mean(0)) / 16).astype(np.float32), y[:800]
  t = inlp(classes=10, rounds=3, l2=1e-2, margin=-1.0)
  state = jax.jit(t.fit)(x, y)
  assert abs(np.trace(state.projection) - (64 - 27)) < 1e-2
  assert state.accuracy[0] > 0.95 and probe(t.apply(state, x), y) < 0.6


def oracle_leace(x, z):
  """r(x) = x - W^+ P_{W Sigma_xz} W (x - mu) in float64, by eigenvalues and pseudo-inverses."""
  x, z = x.astype(np.float64), z.astype(np.float64)
  c = x - x.mean(0)
  s, v = np.linalg.eigh(c.T @ c / len(x))
  alive = s > 1e-10 * s[-1]
  w = (v * np.where(alive, 1 / np.sqrt(np.where(alive, s, 1)), 0)) @ v.T
  a = w @ c.T @ (z - z.mean(0)) / len(x)
  p = a @ np.linalg.pinv(a, rcond=1e-8)
  return x - c @ (np.linalg.pinv(w, rcond=1e-8) @ p @ w).T


def test_leace_is_the_formula(planted):
  x, y, _ = planted
  t = leace(classes=4)
  np.testing.assert_allclose(jax.jit(lambda x: t.apply(t.fit(x, y), x))(x), oracle_leace(x, np.eye(4)[y]), atol=2e-3)
  digits = load_digits()
  x, z = digits.data.astype(np.float32), digits.target[:, None] + 0.0  # singular covariance, a numeric attribute
  t = leace()
  np.testing.assert_allclose(t.apply(t.fit(x, z), x), oracle_leace(x, z), atol=5e-3)


def test_leace_leaves_nothing_to_a_linear_classifier(planted):
  x, y, z = planted
  t = leace(classes=2)
  erased = np.asarray(t.apply(jax.jit(t.fit)(x, z), x), np.float64)
  cross = (erased - erased.mean(0)).T @ (z - z.mean())
  assert np.abs(cross).max() / len(x) < 1e-4
  model = LogisticRegression(C=1e4, max_iter=2000).fit(erased, z)
  assert np.abs(model.coef_).max() < 1e-2  # the best classifier is a constant
  np.testing.assert_allclose(model.predict_proba(erased)[:, 1], z.mean(), atol=2e-2)
  assert probe(erased, y) > 0.6


def test_leace_moves_the_features_less_than_a_projection(planted):
  x, _, z = planted
  x = x @ np.diag(np.linspace(0.2, 3, 32)).astype(np.float32)
  t = leace(classes=2)
  moved = np.mean((np.asarray(t.apply(jax.jit(t.fit)(x, z), x)) - x) ** 2)
  gap = x[z == 1].mean(0) - x[z == 0].mean(0)
  c = x - x.mean(0)
  orthogonal = np.mean((c @ np.outer(gap, gap) / (gap @ gap)) ** 2)
  assert 0 < moved < orthogonal


def test_degenerate_attributes_change_nothing_or_stay_finite():
  x = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
  z = np.zeros(20, int)
  for t in (inlp(rounds=2), leace(classes=2)):
    run = jax.jit(lambda x, at, t=t: t.apply(t.fit(x, z), at))
    np.testing.assert_allclose(run(x, x), x, atol=1e-5)
    assert np.isfinite(run(0 * x, x)).all()


def test_bad_arguments_raise():
  with pytest.raises(ValueError, match='classes=1'):
    inlp(classes=1)
  with pytest.raises(ValueError, match='give'):
    leace().fit(np.zeros((3, 2)), np.zeros(3, int))
  with pytest.raises(ValueError, match='dim=9'):
    random_directions(dim=9).fit(np.zeros((3, 2)))
