import numpy as np
import pytest

from jssl.data.core.order import permutation, stratified


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
