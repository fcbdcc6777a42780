from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jssl.evaluators import Frozen, fewshot
from jssl.evaluators.general import logistic as module
from jssl.evaluators.general.logistic import logistic, logistic_regression
from jssl.evaluators.general.probe import standardizer


@pytest.mark.parametrize('l2', [1e-3, 1e-1])
def test_logistic_reaches_scikit_learns_optimum(digits, l2):
  mean, scale = standardizer(digits.train_x)
  x, test_x = (digits.train_x - mean) * scale, (digits.test_x - mean) * scale
  fit = logistic_regression(x, jax.nn.one_hot(digits.train_y, 10), jnp.ones(len(x)), l2, jnp.zeros((65, 10)))
  model = LogisticRegression(C=1 / (len(x) * l2), tol=1e-6, max_iter=1000).fit(x.astype(float), digits.train_y)
  p = model.predict_proba(x.astype(float))[np.arange(len(x)), digits.train_y]
  best = -np.log(p).mean() + l2 / 2 * (model.coef_**2).sum()
  assert best - 1e-6 < float(fit.loss) < best + 3e-5
  ours = np.argmax(test_x @ fit.weights[:-1] + fit.weights[-1], 1)
  assert abs((ours == digits.test_y).mean() - model.score(test_x, digits.test_y)) < 0.003
  assert np.abs(fit.weights[:-1].sum(1)).max() < 1e-2  # at the optimum the classes' weights sum to zero


def test_a_weight_of_zero_leaves_an_example_out(digits):
  x, y = digits.train_x[:300] / 16, jax.nn.one_hot(digits.train_y[:300], 10)
  weight = jnp.arange(300) < 200
  masked = logistic_regression(x, y.at[200:].set(0.1), weight.astype(jnp.float32), 0.01, jnp.zeros((65, 10)))
  alone = logistic_regression(x[:200], y[:200], jnp.ones(200), 0.01, jnp.zeros((65, 10)))
  np.testing.assert_allclose(masked.loss, alone.loss, atol=1e-5)


def test_logistic_agrees_with_scikit_learn_at_the_penalty_it_chose(digits):
  figures = logistic(digits)
  mean, scale = standardizer(digits.train_x)
  x, test_x = (digits.train_x - mean) * scale, (digits.test_x - mean) * scale
  model = LogisticRegression(C=1 / (len(x) * figures['chosen']['l2']), tol=1e-6, max_iter=1000).fit(x, digits.train_y)
  assert abs(figures['top1'] - model.score(test_x, digits.test_y)) <= 0.003
  other = logistic(digits._replace(test_y=(digits.test_y + 1) % 10))
  assert (other['chosen'], other['top1_validation']) == (figures['chosen'], figures['top1_validation'])


@pytest.mark.parametrize('scale', [0.0, 1e-8, 1e6])
def test_logistic_bears_constant_tiny_and_huge_features(scale):
  random = np.random.RandomState(0)
  y = np.arange(60, dtype=np.int32) % 2
  x = (random.randn(60, 3) + 4 * y[:, None]).astype(np.float32) * np.array([scale, scale, 0], np.float32)
  figures = logistic(Frozen(x, y, x, y, 2))
  assert figures['top1'] == (0.5 if scale == 0 else 1.0)
  assert np.isfinite(list(fewshot(Frozen(x, y, x, y, 2), shots=(1, 40)).values())).all()


@pytest.fixture
def in_blocks(monkeypatch):
  """Blocks of 97 of the digits, which 1200 is no multiple of."""
  logistic_regression.clear_cache()
  monkeypatch.setattr(module, 'BLOCK', 97 * 4 * 10)
  yield
  logistic_regression.clear_cache()


def test_labels_are_what_their_one_hot_rows_are(digits):
  x, weight, start = digits.train_x / 16, jnp.ones(1200), jnp.zeros((65, 10))
  of = lambda y: logistic_regression(x, y, weight, 1e-2, start)
  jax.tree.map(np.testing.assert_array_equal, of(digits.train_y), of(jax.nn.one_hot(digits.train_y, 10)))


def test_blocks_reach_the_same_optimum(digits, request):
  mean, scale = standardizer(digits.train_x)
  x, weight = (digits.train_x - mean) * scale, jnp.asarray(np.random.RandomState(0).rand(1200) > 0.2, jnp.float32)
  soft = 0.9 * jax.nn.one_hot(digits.train_y, 10) + 0.01
  whole = [logistic_regression(x, y, weight, 1e-2, jnp.zeros((65, 10)), tolerance=1e-5) for y in (digits.train_y, soft)]
  figures = logistic(digits)
  request.getfixturevalue('in_blocks')
  assert module.rows_at_once(10) == 97
  for y, one in zip((digits.train_y, soft), whole, strict=True):
    pieces = logistic_regression(x, y, weight, 1e-2, jnp.zeros((65, 10)), tolerance=1e-5)
    np.testing.assert_allclose(pieces.loss, one.loss, rtol=1e-6)
    np.testing.assert_allclose(pieces.weights, one.weights, atol=1e-3)
  found = logistic(digits)
  assert found['chosen'] == figures['chosen'] and abs(found['top1'] - figures['top1']) <= 0.002


def test_what_is_held_beside_the_features_does_not_grow_with_them():
  shape, found = jax.ShapeDtypeStruct, {}
  for n in (100_000, 1_281_167):
    d, classes = 2048, 1000
    lowered = logistic_regression.lower(
      shape((n, d), jnp.float32), shape((n,), jnp.int32), shape((n,), jnp.float32), 1e-3, shape((d + 1, classes), jnp.float32)
    )
    sizes = lowered.compile().memory_analysis()
    found[n] = sizes.temp_size_in_bytes
    needed = sizes.argument_size_in_bytes + sizes.temp_size_in_bytes + sizes.output_size_in_bytes
    assert 0.95 * needed < module.memory(n, d, classes) < 1.2 * needed
  assert found[1_281_167] < 1.05 * found[100_000] < 0.7e9


def test_a_large_probe_tells_what_it_needs_and_is_refused_where_it_does_not_fit(monkeypatch, caplog):
  module.afford(5000, 64, 10)
  assert not caplog.records
  module.afford(1_281_167, 2048, 1000)
  assert 'logistic: 1281167 examples of 2048 features and 1000 classes need 10.3 GiB of memory on one device' in caplog.text
  small = SimpleNamespace(memory_stats=lambda: {'bytes_limit': 8 * 2**30})  # as accelerators tell it; CPUs do not
  monkeypatch.setattr(module.jax, 'local_devices', lambda: [small])
  with pytest.raises(ValueError, match='need 10.3 GiB of memory on one device, which has 8 GiB; take linear, knn'):
    module.afford(1_281_167, 2048, 1000)
