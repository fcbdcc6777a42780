import tracemalloc

import numpy as np
import pytest

from jssl.data.core import order
from jssl.data.core.arrays import arrays
from jssl.data.core.order import feistel, orders, permutation, stratified
from jssl.data.core.sources import GrainSource


def test_the_order_never_changes():
  # A change here changes every run's order of examples and every packaged split: it needs new versions of the cards.
  np.testing.assert_array_equal(permutation(10, 0), [0, 2, 9, 1, 8, 5, 4, 3, 6, 7])
  np.testing.assert_array_equal(permutation(10, 7, 3), [2, 5, 9, 7, 3, 0, 6, 8, 4, 1])


@pytest.mark.parametrize('n', [0, 1, 2, 1000])
def test_it_is_a_permutation(n):
  np.testing.assert_array_equal(np.sort(permutation(n, 3, 5)), np.arange(n))


def test_seed_and_epoch_each_give_another_order():
  orders = {(seed, epoch): tuple(permutation(50, seed, epoch)) for seed in range(5) for epoch in range(5)}
  assert len(set(orders.values())) == 25


def test_every_place_is_equally_likely():
  # chi-square of where example 0 lands, 9 degrees of freedom
  places = np.array([np.flatnonzero(permutation(10, 0, epoch) == 0)[0] for epoch in range(2000)])
  counts = np.bincount(places, minlength=10)
  assert ((counts - 200) ** 2 / 200).sum() < 30


@pytest.mark.parametrize('bad', [dict(seed=-1), dict(seed=2**64), dict(seed=0, epoch=-1)])
def test_out_of_range_is_refused(bad):
  with pytest.raises(ValueError, match='non-negative'):
    permutation(4, **bad)


def test_stratified_holds_out_the_same_part_of_each_class():
  labels = np.repeat([0, 1, 2], [10, 21, 5])
  kept, held = stratified(labels, 0.2, seed=1)
  np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(36))
  np.testing.assert_array_equal(np.bincount(labels[held]), [2, 4, 1])
  again = stratified(labels, 0.2, seed=1)
  np.testing.assert_array_equal(kept, again[0])
  assert list(held) != list(stratified(labels, 0.2, seed=2)[1])
  assert list(labels[kept]) != sorted(labels[kept])  # mixed


@pytest.mark.parametrize('n', [1, 2, 3, 4, 5, 17, 255, 256, 257, 1000, 4097])
def test_places_of_a_large_order_are_those_of_a_permutation(n):
  whole = feistel(n, 3, 5, np.arange(n))
  np.testing.assert_array_equal(np.sort(whole), np.arange(n))
  np.testing.assert_array_equal(feistel(n, 3, 5, np.arange(n)[::-3]), whole[::-3])
  assert n < 100 or not np.array_equal(whole, feistel(n, 3, 6, np.arange(n))) and not np.array_equal(whole, feistel(n, 4, 5, np.arange(n)))


def test_a_large_order_is_drawn_evenly():
  """Where the first example stands over epochs, and how far neighbours are apart: chi-squared and the mean of |i - j|."""
  n, epochs = 100, 4000
  first = np.array([feistel(n, 0, epoch, np.arange(2)) for epoch in range(epochs)])
  counts = np.bincount(first[:, 0], minlength=n)
  assert ((counts - epochs / n) ** 2 / (epochs / n)).sum() < 149  # the 99.9 % point of 99 degrees of freedom
  assert abs(np.abs(np.diff(first, axis=1)).mean() - (n + 1) / 3) < 1.5
  np.testing.assert_array_equal(feistel(400_000_000, 7, 3, np.arange(3)), feistel(400_000_000, 7, 3, np.arange(9))[:3])


def test_an_order_of_400_million_examples_takes_no_memory():
  tracemalloc.start()
  rows = [orders(400_000_000, 0)(epoch, np.arange(4096) + 4096 * 97_000) for epoch in range(2)]
  _, peak = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  assert peak < 2**20 and all(len({*x.tolist()}) == 4096 and 0 <= x.min() and x.max() < 400_000_000 for x in rows)


def test_processes_share_a_large_order(monkeypatch):
  monkeypatch.setattr(order, 'LARGE', 20)
  batches = lambda count: [
    GrainSource(arrays(x=np.arange(41)).splits['train'], 8, seed=2, process_index=p, process_count=count) for p in range(count)
  ]
  read = lambda count: [np.concatenate([source.batch(step)['example'] for source in batches(count)]) for step in range(12)]
  for count in (2, 4):
    np.testing.assert_array_equal(read(1), read(count))
  assert sorted(np.concatenate(read(1)[:5]).tolist()) == sorted({*np.concatenate(read(1)[:5]).tolist()})
