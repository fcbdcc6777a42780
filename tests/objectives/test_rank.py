"""Rank objectives against a loop over eigenvalues, and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.objectives.spectrum import effective_rank, rank_penalty, spectral_entropy


def oracle(z):
  z = np.asarray(z, np.float64)
  c = np.zeros((z.shape[1], z.shape[1]))
  for row in z:
    c += np.outer(row, row) / (row @ row) / len(z)
  return -sum(v * np.log(v) for v in np.linalg.eigvalsh(c) if v > 1e-12)


@pytest.mark.parametrize('shape', [(40, 6), (6, 40)])
def test_is_the_entropy_of_the_autocorrelation(shape):
  z = np.random.default_rng(0).normal(size=shape).astype(np.float32)
  k = z + 1
  assert abs(spectral_entropy(z) - oracle(z)) < 1e-5
  assert abs(rank_penalty(z, k) - (oracle(z) + oracle(k)) / 2) < 1e-5


def test_one_direction_that_dominates_hides_none():
  z = np.random.default_rng(0).normal(50, 1, (256, 64)).astype(np.float32)
  unit = z.astype(np.float64) / np.linalg.norm(z.astype(np.float64), axis=1, keepdims=True)
  values = np.linalg.svd(unit / 16, compute_uv=False) ** 2
  np.testing.assert_allclose(spectral_entropy(z), -np.sum(values * np.log(values)), rtol=1e-3)


@pytest.mark.parametrize('shape', [(12, 4), (4, 12)])
def test_gradient_is_that_of_finite_differences(shape):
  z = np.random.default_rng(1).normal(size=shape)
  grad = np.asarray(jax.jit(jax.grad(spectral_entropy))(jnp.asarray(z, jnp.float32)))
  for i, j in ((0, 0), (1, 2), (3, 3)):
    e = np.zeros(shape)
    e[i, j] = 1e-5
    assert abs(grad[i, j] - (oracle(z + e) - oracle(z - e)) / 2e-5) < 1e-4


def test_counts_directions():
  rank = jax.jit(effective_rank)
  few = np.repeat(np.eye(8, dtype=np.float32)[:3], 3, 0)
  for z, r in ((np.eye(9, 8, dtype=np.float32)[:8], 8), (few, 3), (0 * few + 1, 1), (0 * few, 1)):
    np.testing.assert_allclose(rank(np.resize(z, (72, 8))), r, rtol=1e-4)


def test_descent_reduces_the_rank():
  z = jax.random.normal(jax.random.key(0), (32, 8))
  before = effective_rank(z)
  step = jax.jit(lambda z: z - 20 * jax.grad(lambda z: rank_penalty(z, z))(z))
  for _ in range(40):
    z = step(z)
  assert effective_rank(z) < 0.6 * before


def test_degenerate_gradients_are_finite():
  grad = jax.jit(jax.grad(spectral_entropy))
  for z in (jnp.zeros((6, 6)), jnp.ones((6, 6)), jnp.eye(6), -jnp.eye(6)):
    assert np.isfinite(grad(z)).all()
  z = jax.random.normal(jax.random.key(0), (32, 8))
  np.testing.assert_allclose(spectral_entropy(z.astype(jnp.bfloat16)), spectral_entropy(z), atol=1e-2)
