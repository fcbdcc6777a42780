import numpy as np
from sklearn.linear_model import Ridge

from jssl.evaluators import fewshot
from jssl.evaluators.general.probe import _draw, _ridge, _signs, standardizer


def test_ridge_equals_scikit_learn(digits):
  for most, k in ((2, 2), (20, 20), (20, 3)):  # fewer and more examples than features, some out of use
    rows, place = _draw(digits.train_y, most, 0)
    assert np.bincount(digits.train_y[rows]).tolist() == [most] * 10
    y = _signs(digits.train_y[rows], 10)
    found = _ridge(digits.train_x[rows], y, place < k, digits.test_x, 1.0)
    x, y = digits.train_x[rows[place < k]], y[place < k]
    mean, scale = standardizer(x)
    model = Ridge(alpha=64.0).fit((x - mean) * scale, y)
    expected = model.predict((digits.test_x - mean) * scale).argmax(1)
    assert (np.asarray(found).argmax(1) == expected).mean() > 0.998


def test_fewshot_grows_with_the_shots_and_repeats(digits):
  figures = fewshot(digits, shots=(1, 10), seeds=(0, 1, 2))
  assert figures['top1_1shot'] < figures['top1_10shot'] > 0.75 and figures['top1_1shot_std'] > 0
  assert figures == fewshot(digits, shots=(1, 10), seeds=(0, 1, 2))


def test_the_standardizer_takes_some_features_at_a_time():
  x = np.random.RandomState(0).randn(500, 150).astype(np.float32) * 10 + 3
  mean, scale = standardizer(x)
  np.testing.assert_array_equal(mean, x.mean(0, dtype=np.float64).astype(np.float32))
  np.testing.assert_array_equal(scale, (1 / x.std(0, dtype=np.float64)).astype(np.float32))
