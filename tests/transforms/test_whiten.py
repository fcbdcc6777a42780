"""Whitening against scikit-learn, scipy and its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from jssl.tables import TRANSFORMS
from jssl.transforms import all_but_the_top, pca_whiten, standardize, zca_whiten


@pytest.fixture(scope='module')
def x():
  return load_digits().data[:600].astype(np.float32)  # [600 64], some pixels never lit


def run(transform, x):
  return np.asarray(jax.jit(lambda x: transform.apply(transform.fit(x), x))(x))


def covariance(z):
  return np.cov(z.astype(np.float64), rowvar=False, bias=True)


def test_whitened_covariance_is_the_identity(x):
  rank = np.linalg.matrix_rank(x - x.mean(0))
  c = covariance(run(pca_whiten(), x))
  np.testing.assert_allclose(c[:rank, :rank], np.eye(rank), atol=1e-4)
  np.testing.assert_allclose(c[rank:], 0, atol=1e-6)
  c = covariance(run(zca_whiten(), x))
  np.testing.assert_allclose(c @ c, c, atol=1e-3)  # a projection: the identity where there is variance
  assert abs(np.trace(c) - rank) < 1e-2


def test_pca_whiten_is_that_of_sklearn_up_to_signs(x):
  ours = run(pca_whiten(dim=20), x)
  theirs = PCA(20, whiten=True, svd_solver='full').fit_transform(x) * np.sqrt(len(x) / (len(x) - 1))
  np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=2e-3)


def test_zca_is_the_inverse_root_of_the_covariance():
  rng = np.random.default_rng(0)
  x = (rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 3).astype(np.float32)
  root = np.real(scipy.linalg.fractional_matrix_power(covariance(x), -0.5))
  np.testing.assert_allclose(run(zca_whiten(), x), (x - x.mean(0)) @ root, atol=1e-3)


def test_standardize_is_that_of_sklearn(x):
  np.testing.assert_allclose(run(standardize(), x), StandardScaler().fit_transform(x), atol=1e-4)


def test_all_but_the_top_leaves_the_rest(x):
  ours, pca = run(all_but_the_top(dim=3), x), PCA(svd_solver='full').fit(x)
  np.testing.assert_allclose(ours @ pca.components_[:3].T, 0, atol=1e-3)
  rest = pca.components_[3:]
  np.testing.assert_allclose(ours @ rest.T, (x - x.mean(0)) @ rest.T, atol=1e-3)


def test_whitening_undoes_anisotropy():
  """Sentence vectors with one shared strong direction: cosines recover the hidden similarity only once whitened."""
  rng = np.random.default_rng(0)
  hidden = rng.normal(size=(400, 8))
  scale = np.array([30, 10, 3, 1, 1, 1, 1, 1])
  seen = (hidden * scale) @ np.linalg.qr(rng.normal(size=(8, 8)))[0] + 20 * rng.normal(size=8)

  def cosines(z):
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    return (z @ z.T)[np.triu_indices(len(z), 1)]

  agreement = lambda z: np.corrcoef(cosines(z), cosines(hidden))[0, 1]
  assert agreement(run(pca_whiten(), seen.astype(np.float32))) > 0.95
  assert agreement(seen) < 0.6


@pytest.mark.parametrize('name', ['standardize', 'pca_whiten', 'zca_whiten', 'all_but_the_top'])
def test_degenerate_features_stay_finite(name):
  transform = TRANSFORMS[name]()
  few = np.random.default_rng(0).normal(size=(5, 12))
  for x in (np.zeros((4, 3)), np.ones((4, 3)), few):  # fewer examples than features among them
    assert np.isfinite(run(transform, jnp.asarray(x, jnp.bfloat16))).all()


def test_whitening_more_directions_than_there_are_raises(x):
  with pytest.raises(ValueError, match='dim=65'):
    pca_whiten(dim=65).fit(x)
