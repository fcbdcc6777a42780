"""The loop of CoReS: what its rows differ in, and how they are searched."""

import numpy as np
import pytest

from jssl.experiments import module
from jssl.objectives import simplex

cores = module('cores')


def test_rows_differ_in_the_classes_of_the_denominator_alone():
  rng = np.random.default_rng(0)
  z, labels = rng.normal(size=(6, 4)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2])
  same = lambda z: z @ simplex(4).T
  np.testing.assert_allclose(cores._cores(z, None, labels, 3), cores._seen_only(z, None, labels, 5), rtol=1e-5)
  np.testing.assert_allclose(cores._independent(z, same, labels, 3), cores._seen_only(z, None, labels, 3), rtol=1e-5)
  assert (cores._seen_only(z, None, labels, 3) < cores._cores(z, None, labels, 3)).all()


def test_a_search_counts_the_nearest_of_the_gallery():
  gallery, held = np.eye(3), np.array([4, 5, 6])
  queries = np.array([[1, 0.1, 0], [0, 0.2, 1], [0.1, 1, 0]])
  assert cores._search(queries, gallery, np.array([4, 6, 6]), held) == 2 / 3
  assert cores._search(0 * queries, gallery, np.array([4, 4, 4]), held) == pytest.approx(1 / 3)
  with pytest.raises(ValueError, match='nan or inf'):
    cores._search(np.nan * queries, gallery, np.array([4, 6, 6]), held)
