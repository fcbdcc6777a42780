"""Evaluation results: confidence intervals, flat names, and the per-item values that they are computed from."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jssl.metrics.ranking import correlations
from jssl.metrics.rates import rate_gap

STATISTICS = dict(mean=np.mean, spearman=lambda x, y: correlations(x, y)['spearman'], rate_gap=rate_gap)


class Items(NamedTuple):
  """The per-item values of a result, from which it can be recomputed on resampled test items.

  A protocol returns them with its results, as `items`: name of the result -> Items.
  """

  statistic: str  # a name in STATISTICS
  columns: tuple[np.ndarray, ...]  # its arguments, [n] each

  def figure(self, rows: np.ndarray) -> float:
    """The statistic of some items."""
    return float(STATISTICS[self.statistic](*(x[rows] for x in self.columns)))


def plain_items(items: Mapping[str, Items]) -> dict[str, Any]:
  """Converts items to JSON-compatible values."""
  return {name: [x.statistic, *(np.asarray(column).tolist() for column in x.columns)] for name, x in items.items()}


def read_items(held: Mapping[str, Any]) -> dict[str, Items]:
  """The inverse of `plain_items`."""
  return {name: Items(statistic, tuple(map(np.array, columns))) for name, (statistic, *columns) in held.items()}


def interval(values: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
  """Percentile bootstrap interval of a mean.

  For an accuracy, `values` is 1 or 0 for each test example, correct or not. For the difference of two systems on the same test set, pass the
  differences per example: pairing makes the interval narrower. A resample is drawn as the counts of the distinct values, so its cost is the
  number of distinct values, not n.

  At an accuracy of exactly 0 or 1 the bootstrap has no spread, and the interval is a point.

  Args:
    values: [n], bool or float.
    level: coverage.
    draws: number of resamples.
    seed: fixed, so that the same values give the same interval.

  Returns:
    (low, high).

  Reference: Efron, Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
  """
  values = np.asarray(values, np.float64)
  if values.ndim != 1 or not len(values):
    raise ValueError(f'interval was given values {list(values.shape)}; expected [n] with n >= 1, one an example.')
  distinct, count = np.unique(values, return_counts=True)
  resampled = np.random.RandomState(seed).multinomial(len(values), count / len(values), draws)
  low, high = np.quantile(resampled @ distinct / len(values), [(1 - level) / 2, (1 + level) / 2])
  return float(low), float(high)


def accuracy(right: np.ndarray) -> dict[str, float]:
  """Top-1 accuracy with its 95 % bootstrap interval: top1, top1_low, top1_high. `right` [n] is the result of `ranking.hits`, or 0 and 1."""
  right = np.asarray(right, np.float64)
  low, high = interval(right)
  return {'top1': float(right.mean()), 'top1_low': low, 'top1_high': high}


def flatten(results: Mapping[str, Mapping]) -> dict[str, float]:
  """{'knn': {'top1': .9, 'k': 5, 'version': '1'}} -> {'knn_top1': .9}: the floats only, prefixed by their protocol."""
  return {f'{protocol}_{name}': figure for protocol, result in results.items() for name, figure in result.items() if isinstance(figure, float)}
