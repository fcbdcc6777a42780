"""What stands around a figure: its interval, its name in a flat record, and the test items that it is made of."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jssl.metrics.ranking import correlations
from jssl.metrics.rates import rate_gap

STATISTICS = dict(mean=np.mean, spearman=lambda x, y: correlations(x, y)['spearman'], rate_gap=rate_gap)


class Items(NamedTuple):
  """What a figure is made of, test item by test item, so that it can be computed again of items that are drawn again.

  A protocol gives them beside its figures, as `items`: figure -> Items.
  """

  statistic: str  # of STATISTICS
  columns: tuple[np.ndarray, ...]  # its arguments, [n] each

  def figure(self, rows: np.ndarray) -> float:
    """Of some items."""
    return float(STATISTICS[self.statistic](*(x[rows] for x in self.columns)))


def plain_items(items: Mapping[str, Items]) -> dict[str, Any]:
  """Items as JSON can hold them."""
  return {name: [x.statistic, *(np.asarray(column).tolist() for column in x.columns)] for name, x in items.items()}


def read_items(held: Mapping[str, Any]) -> dict[str, Items]:
  """What `plain_items` made."""
  return {name: Items(statistic, tuple(map(np.array, columns))) for name, (statistic, *columns) in held.items()}


def interval(values: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
  """Percentile bootstrap interval of a mean.

  For an accuracy, `values` is right or wrong for each test example. For the difference of two systems on the same
  test set, give right - right, example by example: pairing makes the interval narrower. Resampling n examples is
  drawing how often each distinct value comes up, so a draw costs the number of distinct values, not n.

  At an accuracy of exactly 0 or 1 the bootstrap has no spread, and the interval is a point.

  Args:
    values: [n], bool or float.
    level: coverage.
    draws: resamples.
    seed: fixed, so that the same figures give the same interval.

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
  """Top-1 accuracy with its 95 % bootstrap interval: top1, top1_low, top1_high; of `ranking.hits`, or right and wrong, [n]."""
  right = np.asarray(right, np.float64)
  low, high = interval(right)
  return {'top1': float(right.mean()), 'top1_low': low, 'top1_high': high}


def flatten(results: Mapping[str, Mapping]) -> dict[str, float]:
  """{'knn': {'top1': .9, 'k': 5, 'version': '1'}} -> {'knn_top1': .9}: the floats only, named by their protocol."""
  return {f'{protocol}_{name}': figure for protocol, result in results.items() for name, figure in result.items() if isinstance(figure, float)}
