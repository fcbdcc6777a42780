"""Test items beside figures: what they are made of gives the figure again."""

import numpy as np
import pytest

from jssl.evaluators.figures import Items, plain_items, read_items
from jssl.metrics.rates import rate_gap


def test_items_come_back_from_json_and_make_the_figure():
  items = dict(x=Items('spearman', (np.arange(5.0), np.array([1, 2, 4, 3, 5]))), y=Items('mean', (np.array([True, False]),)))
  back = read_items(plain_items(items))
  assert back['x'].figure(slice(None)) == items['x'].figure(slice(None)) == pytest.approx(0.9)
  assert back['y'].figure(np.array([0, 0, 1])) == pytest.approx(2 / 3)


def test_the_gap_of_rates_by_hand():
  right = np.array([1, 0, 1, 1, 0, 1.0])
  labels = np.array([0, 0, 0, 1, 1, 2])
  attribute = np.array([0, 0, 1, 0, 1, 1])  # label 2 has one group alone
  assert rate_gap(right, labels, attribute) == pytest.approx(np.sqrt((0.5**2 + 1.0**2) / 2))
  with pytest.raises(ValueError, match='both groups'):
    rate_gap(right, labels, np.zeros(6, int))
