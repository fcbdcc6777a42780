"""Masks over series, frames and clips, noise, and patches with gaps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.masks import graph, series, video
from jssl.noise import diffusion
from jssl.ops.noise import cosine_schedule, linear_schedule
from jssl.views import gaps
from jssl.views import video as video_views


def keys(b, seed=0):
  return jax.random.split(jax.random.key(seed), b)


def runs(row):
  """Lengths of the true runs of a row that neither begin nor end it."""
  edges = np.flatnonzero(np.diff(row.astype(int)))
  starts = edges[row[edges + 1]]
  return [int(edges[edges > s][0] - s) for s in starts if (edges > s).any()]


def test_a_share_of_the_nodes_is_masked_and_no_padding():
  x = jnp.ones((200, 10, 3)).at[:, 7:].set(0).at[0, 1:].set(0)
  mask = np.asarray(graph.random_nodes(keys(200), x, ratio=0.5))
  assert not mask[:, 7:].any() and mask[0].tolist() == [True] + [False] * 9
  assert (mask[1:].sum(1) == 3).all()
  np.testing.assert_allclose(mask[1:, :7].mean(0), 3 / 7, atol=0.12)
  np.testing.assert_array_equal(graph.random_nodes(keys(200)[5:6], x[5:6], ratio=0.5)[0], mask[5])


@pytest.mark.parametrize('length', [3.0, 1 / 0.85])
def test_markov_runs_are_geometric(length):
  mask = np.asarray(series.markov_mask(keys(64), jnp.ones((64, 400, 3)), ratio=0.15, length=length))
  assert abs(mask.mean() - 0.15) < 0.01
  lengths = np.array([n for x in mask for row in x.T for n in runs(row)])
  assert abs(lengths.mean() - length) < 0.1
  assert abs(np.mean(lengths == 1) - 1 / length) < 0.03  # of a geometric distribution
  after = mask[:, 1:][mask[:, :-1]].mean()
  assert abs(after - (1 - 1 / length)) < 0.02


def test_markov_mask_leaves_padding_and_draws_by_key():
  x = jnp.ones((4, 30, 2)).at[:, 20:].set(0)
  mask = series.markov_mask(keys(4), x, ratio=0.5)
  assert not mask[:, 20:].any()
  np.testing.assert_array_equal(series.markov_mask(keys(4)[1:2], x[1:2], ratio=0.5)[0], mask[1])


def test_gaps_of_frames_hold_together():
  hidden = series.gap_mask(keys(16), grid=(60,), ratio=0.5, gap=10)
  assert hidden.keep.shape == (16, 30) and hidden.mask.sum(1).tolist() == [30] * 16
  for row in np.asarray(hidden.mask):
    assert np.sum(np.diff(row.astype(int)) != 0) <= 10  # frame by frame it would be about 30
  order = jnp.concatenate([hidden.keep, hidden.hidden], 1)
  np.testing.assert_array_equal(jnp.take_along_axis(order, hidden.restore, 1), jnp.tile(jnp.arange(60), (16, 1)))


def test_tubes_go_through_all_frames():
  hidden = video.tube_mask(keys(8), grid=(3, 4, 5), ratio=0.75)
  places = np.asarray(hidden.mask).reshape(8, 3, 20)
  np.testing.assert_array_equal(places, places[:, :1].repeat(3, 1))
  assert hidden.keep.shape == (8, 15) and (places.sum(2) == 15).all()


def test_frames_are_two_different_ones():
  clip = jnp.broadcast_to(jnp.arange(4, dtype=jnp.uint8)[None, :, None, None, None] * 51, (96, 4, 4, 4, 1))
  first, second = video_views.frames(keys(96), {'clip': clip})
  pair = np.stack([first[:, 0, 0, 0], second[:, 0, 0, 0]], 1)
  assert (pair[:, 0] != pair[:, 1]).all() and len(np.unique(pair.round(3), axis=0)) == 12


@pytest.mark.parametrize(('view', 'schedule'), [(diffusion.cosine_noise, cosine_schedule), (diffusion.linear_noise, linear_schedule)])
def test_noise_is_the_formula(view, schedule):
  x = jax.random.normal(jax.random.key(1), (64, 3, 3, 1))
  seen = view(keys(64), x, levels=10)
  level = np.rint(np.asarray(seen.time) * 10).astype(int) - 1
  assert set(level) == set(range(10))
  abar = np.asarray(schedule(10))[level][:, None, None, None]
  np.testing.assert_allclose(seen.x, np.sqrt(abar) * x + np.sqrt(1 - abar) * seen.noise, rtol=1e-5, atol=1e-6)
  assert abs(float(seen.noise.mean())) < 0.15 and abs(float(seen.noise.std()) - 1) < 0.1


def test_gaps_between_patches_are_left_out():
  x = np.random.default_rng(0).random((2, 6, 6, 1)).astype(np.float32)
  (got,) = gaps.gapped_patches(keys(2), {'image': x}, patch=2, gap=1)
  from jssl.views.image import plain

  (large,) = plain(None, {'image': x}, size=8)
  rows = [0, 1, 3, 4, 6, 7]
  np.testing.assert_allclose(got, np.asarray(large)[:, rows][:, :, rows], atol=1e-6)
