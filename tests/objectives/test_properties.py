"""What the oracles do not say: balance, masking, weights of micro-batches, extreme numbers, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import objectives as o
from tests.oracles.clustering import cosines
from tests.oracles.contrastive import IDS, pair, table
from tests.oracles.prediction import MASK, tokens


@pytest.fixture
def rng():
  return np.random.default_rng(0)


def test_equal_ids_count_as_if_the_other_row_were_not_there(rng):
  q, k = pair(rng)
  kept = np.array([j for j in range(len(q)) if j == 0 or IDS[j] != IDS[0]])
  for objective in map(jax.jit, (o.nt_xent, o.info_nce, o.dcl, o.debiased, o.siglip, o.spectral_contrastive)):
    np.testing.assert_allclose(objective(q, k, ids=IDS)[0], objective(q[kept], k[kept])[0], rtol=1e-5)


def test_sup_con_without_shared_labels_is_nt_xent(rng):
  q, k = pair(rng)
  unlabelled = o.sup_con(q, k, labels=np.arange(6), temperature=0.3)
  np.testing.assert_allclose(unlabelled, o.nt_xent(q, k, temperature=0.3), rtol=1e-5)


def test_a_queue_of_the_other_keys_is_in_batch_contrast(rng):
  q, k = pair(rng)
  in_queue = o.info_nce_queue(q, k, negatives=k, ids=np.arange(6), negative_ids=np.arange(6))
  np.testing.assert_allclose(in_queue, o.info_nce(q, k), rtol=1e-5)


@pytest.mark.parametrize('objective', [o.nt_xent, o.info_nce, o.dcl, o.debiased])
def test_small_temperatures_do_not_overflow(objective, rng):
  both = jax.jit(jax.value_and_grad(lambda q, k: objective(q, k, temperature=1e-3).mean(), (0, 1)))
  value, gradient = both(*pair(rng))
  assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradient)


def test_keys_of_stopped_targets_get_no_gradient(rng):
  q, k = cosines(rng)
  for objective in (o.negative_cosine, o.byol, o.smooth_l1, o.latent_l1, o.latent_l2, o.swav, o.dino, o.msn):
    assert not np.any(jax.jit(jax.grad(lambda k, f=objective: f(q, k).mean()))(k))


def test_sinkhorn_balances(rng):
  scores = cosines(rng, 40, 5)[0]
  codes = np.asarray(o.sinkhorn(scores, epsilon=0.5, iterations=50))
  np.testing.assert_allclose(codes.sum(1), 1, rtol=1e-5)
  np.testing.assert_allclose(codes.sum(0), 40 / 5, rtol=1e-4)
  assert np.isfinite(o.sinkhorn(1e4 * scores)).all()


def test_sinkhorn_leaves_invalid_rows_out(rng):
  scores, valid = cosines(rng, 12)[0], np.arange(12) % 3 > 0
  found = np.asarray(o.sinkhorn(scores, valid=valid))[valid]
  np.testing.assert_allclose(found, o.sinkhorn(scores[valid]), rtol=1e-4, atol=1e-7)


def test_vicreg_is_its_parts(rng):
  q, k = pair(rng)
  parts = 25 * jnp.mean((q - k) ** 2) + 12.5 * (o.variance(q) + o.variance(k)) + o.covariance(q) + o.covariance(k)
  np.testing.assert_allclose(o.vicreg(q, k), parts, rtol=1e-5)


def test_whitening_does_not_see_the_order_within_a_sub_batch(rng):
  q, k = pair(rng, 16, 3)
  orders = np.stack([np.arange(16), np.concatenate([rng.permutation(8), 8 + rng.permutation(8)])])
  shuffled = o.w_mse(q, k, size=8, permutations=orders)
  np.testing.assert_allclose(shuffled, o.w_mse(q, k, size=8), rtol=1e-3, atol=1e-6)


def test_whitening_does_not_see_the_scale(rng):
  q, k = pair(rng)
  np.testing.assert_allclose(o.w_mse(1e-3 * q, 1e-3 * k), o.w_mse(q, k), rtol=1e-4, atol=1e-6)


def test_w_mse_explains_a_size_that_does_not_divide(rng):
  with pytest.raises(ValueError, match='size 5 does not divide 6'):
    o.w_mse(*pair(rng), size=5)


def test_tico_keeps_what_it_used(rng):
  q, k = pair(rng)
  c = np.zeros((5, 5), np.float32)
  for _ in range(3):
    used = o.tico(q, k, covariance=c, rho=1.0) - o.tico(q, k, covariance=c, rho=0.0)
    c = o.tico_covariance(q, covariance=c)
    unit = q / np.linalg.norm(q, axis=1, keepdims=True)
    np.testing.assert_allclose(used, np.einsum('bi,ij,bj->b', unit, c, unit), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(('moments', 'rate'), [(False, 2.0), (True, 0.3)])
def test_sigreg_makes_a_batch_a_standard_gaussian(moments, rate):
  z = jax.random.normal(jax.random.key(0), (128, 2)) @ jnp.diag(jnp.array([1.5, 0.5])) + 0.3
  slope = jax.grad(lambda z, key: o.sigreg(z, key=key, directions=16, moments=moments))
  z = jax.lax.fori_loop(0, 200, lambda i, z: z - rate * slope(z, jax.random.key(i)), z)
  np.testing.assert_allclose(jnp.mean(z, 0), 0, atol=0.1)
  np.testing.assert_allclose(jnp.cov(z.T), jnp.eye(2), atol=0.1)


def test_mmcr_is_least_where_views_agree_and_examples_are_orthogonal():
  best = np.repeat(np.eye(4, 6, dtype=np.float32)[:, None], 3, 1)
  assert o.mmcr(best) == pytest.approx(-4) and o.mmcr(best, best) == pytest.approx(-4)
  assert o.mmcr(np.ones_like(best)) == pytest.approx(-2)  # one direction: the root of the number of examples
  assert o.mmcr(best, lam=1.0) == pytest.approx(np.sqrt(3) - 4)
  apart = best * np.array([1, 1, -1], np.float32)[:, None]
  assert o.mmcr(apart) == pytest.approx(-4 / 3)


def test_koleo_spreads_a_batch_and_leaves_lonely_examples_alone():
  z = jax.random.normal(jax.random.key(0), (16, 3)) + jnp.array([4.0, 0, 0])
  nearest = lambda z: (lambda u: np.sort(np.linalg.norm(u[:, None] - u, axis=-1), 1)[:, 1])(z / np.linalg.norm(z, axis=1, keepdims=True))
  before, step = nearest(np.asarray(z)), jax.jit(lambda z: z - jax.grad(lambda z: o.koleo(z).mean())(z))
  for _ in range(100):
    z = step(z)
  assert nearest(np.asarray(z)).min() > 3 * before.mean()
  np.testing.assert_array_equal(o.koleo(z[:1]), 0)
  np.testing.assert_allclose(o.koleo(jnp.ones((4, 3))), -np.log(1e-8), rtol=1e-6)


def test_uneven_masks_weigh_every_masked_token_alike(rng):
  prediction, target = tokens(rng)
  each = np.mean(np.abs(prediction - target), -1)
  np.testing.assert_allclose(o.masked_l1(prediction, target, MASK).mean(), each[MASK].mean(), rtol=1e-5)
  assert not np.any(o.masked_l1(prediction, target, np.zeros_like(MASK)))


def test_what_is_not_masked_cannot_spoil_the_loss(rng):
  prediction, target = tokens(rng)
  spoiled = np.where(MASK[..., None], prediction, np.float32(1e30))  # its square is infinite
  loss, gradient = jax.value_and_grad(lambda p: o.latent_l2(p, target, mask=MASK).mean())(spoiled)
  assert np.isfinite(loss) and not np.any(gradient[~MASK])


def test_mask_and_queue_errors(rng):
  q, k = tokens(rng)
  with pytest.raises(ValueError, match='one value a token'):
    o.masked_mse(q, k, MASK[:, :2])
  with pytest.raises(ValueError, match='give both or neither'):
    o.info_nce_queue(*pair(rng), negatives=table(rng), ids=IDS)
  with pytest.raises(ValueError, match='at least 1 iteration'):
    o.sinkhorn(cosines(rng)[0], iterations=0)
