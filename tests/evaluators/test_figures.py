import numpy as np
import pytest
from scipy.stats import binom

from jssl.evaluators import flatten, interval
from jssl.evaluators.figures import accuracy


def test_interval_of_an_accuracy_is_the_binomials():
  right = np.arange(1000) < 900
  low, high = interval(right, draws=20000)
  expected = binom.ppf([0.025, 0.975], 1000, 0.9) / 1000
  np.testing.assert_allclose([low, high], expected, atol=1.1e-3)
  assert (low, high) == interval(right, draws=20000)


def test_interval_of_paired_differences_is_narrower_than_of_the_figures():
  random = np.random.RandomState(0)
  one = random.rand(500) < 0.8
  two = one ^ (random.rand(500) < 0.05)
  low, high = interval(two.astype(float) - one)
  assert high - low < (lambda a, b: b - a)(*interval(one))
  assert low <= two.mean() - one.mean() <= high


def test_interval_degenerate():
  assert interval(np.ones(5)) == (1.0, 1.0)
  with pytest.raises(ValueError, match='one an example'):
    interval(np.ones((2, 2)))


def test_accuracy_and_flatten():
  figures = accuracy([True, True, False])
  assert figures['top1'] == pytest.approx(2 / 3) and figures['top1_low'] <= figures['top1'] <= figures['top1_high']
  assert flatten({'knn': {'top1': 0.5, 'k': 3, 'version': '1', 'options': {}}}) == {'knn_top1': 0.5}
