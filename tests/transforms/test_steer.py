"""Directions recover what was planted, and control does what it says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from jssl.transforms import (
  Direction,
  add,
  amplify,
  contrast,
  keep_norm,
  lat,
  logistic_direction,
  mean_difference,
  project_out,
  random_direction,
  score,
)


def states(seed=0, n=64, d=32, order='shuffled'):
  """Pairs that share a topic and differ along one direction, in either order."""
  rng = np.random.default_rng(seed)
  v = np.random.default_rng(9).normal(size=d)
  v /= np.linalg.norm(v)
  topic = 4 * rng.normal(size=(n, 1, d)) + 2
  flip = rng.integers(0, 2, n) if order == 'shuffled' else np.ones(n, int)
  labels = np.stack([flip, 1 - flip], 1)
  h = topic + 0.5 * rng.normal(size=(n, 2, d)) + (2 * labels - 1)[..., None] * 1.5 * v
  return h.reshape(2 * n, d).astype(np.float32), labels.reshape(-1), v


@pytest.mark.parametrize('finder', [lat, mean_difference])
@pytest.mark.parametrize('order', ['shuffled', 'fixed'])
def test_recovers_the_planted_direction(finder, order):
  h, labels, v = states(order=order)
  t = finder()
  direction = jax.jit(t.fit)(h, labels)
  assert direction.vector @ v > 0.97
  assert abs(direction.length - 3) < 0.3  # twice 1.5
  unseen, truth, _ = states(1)
  s = np.asarray(t.apply(direction, unseen))[:, 0].reshape(-1, 2)
  assert np.mean((s[:, 0] > s[:, 1]) == truth[::2]) > 0.95


def test_lat_is_principal_component_of_shuffled_differences():
  h, labels, _ = states(n=2000, d=8)
  theirs = PCA(1, svd_solver='full').fit(h[::2] - h[1::2]).components_[0]
  assert abs(theirs @ np.asarray(jax.jit(lat().fit)(h, labels).vector)) > 0.9999


def test_mean_difference_is_the_mean_of_paired_differences():
  h, labels, _ = states()
  sign = (2 * labels[::2] - 1)[:, None]
  caa = (sign * (h[::2] - h[1::2])).mean(0)
  direction = jax.jit(mean_difference().fit)(h, labels)
  np.testing.assert_allclose(direction.length * direction.vector, caa, atol=1e-4)


def test_logistic_and_random_directions_on_digits():
  """3 against 8: a supervised normal beats the mean difference or equals it, and a random direction does not."""
  x, y = load_digits(return_X_y=True)
  keep = np.isin(y, (3, 8))
  x, y = (x[keep] / 16).astype(np.float32), (y[keep] == 8).astype(int)
  auc = {}
  for f in (logistic_direction, mean_difference, random_direction):
    t = f()
    fitted = jax.jit(t.fit)(x[:200], y[:200])
    auc[f.__name__] = roc_auc_score(y[200:], np.asarray(score(fitted, x[200:])))
  assert auc['logistic_direction'] > 0.97 and auc['mean_difference'] > 0.9
  assert auc['random_direction'] < auc['mean_difference'] - 0.1


def test_random_directions_differ_between_examples():
  h, labels, _ = states()
  fit = jax.jit(random_direction().fit)
  a, again, other = fit(h, labels), fit(h, labels), fit(h + 1, labels)
  np.testing.assert_array_equal(a.vector, again.vector)
  assert abs(float(a.vector @ other.vector)) < 0.9


def test_all_layers_at_once():
  h, labels, _ = states()
  both = jax.vmap(lat().fit, (0, None))(jnp.stack([h, 2 * h]), labels)
  np.testing.assert_allclose(both.vector[0], both.vector[1], atol=1e-4)
  np.testing.assert_allclose(2 * both.length[0], both.length[1], rtol=1e-4)


def test_adding_steers_a_readout_with_the_dose():
  h, labels, _ = states()
  unseen, truth, v = states(2)
  direction = jax.jit(lat().fit)(h, labels)
  negatives = unseen[truth == 0]
  read = lambda x: np.asarray(x) @ v  # the planted truth, not the direction found
  doses = [read(add(negatives, direction, c)).mean() for c in (-1, 0, 1, 2)]
  assert np.all(np.diff(doses) > 2.5)
  assert abs(doses[2] - read(unseen[truth == 1]).mean()) < 0.5  # c = 1 makes negatives into positives


def test_control_is_the_formula():
  rng = np.random.default_rng(0)
  h, v = rng.normal(size=(2, 5, 8)).astype(np.float32), rng.normal(size=8)
  v = (v / np.linalg.norm(v)).astype(np.float32)
  direction = Direction(jnp.zeros(8), jnp.asarray(v), jnp.float32(2.0))
  np.testing.assert_allclose(add(h, direction, 1.5), h + 3 * v, atol=1e-5)
  np.testing.assert_allclose(amplify(h, direction, 1.5), h + 3 * np.sign(h @ v)[..., None] * v, atol=1e-5)
  np.testing.assert_allclose(project_out(h, direction) @ v, 0, atol=1e-5)
  np.testing.assert_allclose(project_out(project_out(h, direction), direction), project_out(h, direction), atol=1e-5)
  np.testing.assert_allclose(contrast(h, h + 1, h - 1, 0.5), h + 1, atol=1e-5)
  mask = np.array([[1, 0, 0, 1, 0], [0] * 5])
  masked = np.asarray(add(h, direction, 1.0, mask=mask))
  np.testing.assert_allclose(masked, h + mask[..., None] * 2 * v, atol=1e-5)
  steered = keep_norm(add(h, direction, 4.0), h)
  np.testing.assert_allclose(np.linalg.norm(steered, axis=-1), np.linalg.norm(h, axis=-1), rtol=1e-4)
  assert add(jnp.asarray(h, jnp.bfloat16), direction).dtype == jnp.bfloat16


@pytest.mark.parametrize('finder', [lat, mean_difference, logistic_direction, random_direction])
def test_no_difference_and_one_class_stay_finite(finder):
  fit = jax.jit(finder().fit)
  for h, labels in ((np.zeros((4, 3)), [0, 1, 0, 1]), (np.eye(4), [1, 1, 1, 1])):
    found = fit(jnp.asarray(h, jnp.float32), np.array(labels))
    assert all(np.isfinite(x).all() for x in found)


def test_lat_needs_pairs():
  with pytest.raises(ValueError, match='pair'):
    lat().fit(np.zeros((3, 2)), np.zeros(3))
