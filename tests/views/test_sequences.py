"""Masks over series, frames and clips, noise, and patches with gaps."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jssl.masks import graph, series, video
from jssl.noise import diffusion
from jssl.ops.noise import cosine_schedule, inverted_schedule, linear_schedule
from jssl.views import gaps
from jssl.views import video as video_views
from jssl.views.image import augment


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


def union_of_blocks(rng, frame, blocks, scale, ratio=(0.75, 1.5)):
  """One frame of the official multi-block masks, `_MaskGenerator` of multiblock3d.py, with a size for each: True where hidden."""
  height, width = frame
  area, r = int(height * width * scale), rng.uniform(*ratio)
  h, w = min(round(math.sqrt(area * r)), height), min(round(math.sqrt(area / r)), width)
  while True:
    hidden = np.zeros(frame, bool)
    for _ in range(blocks):
      top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
      hidden[top : top + h, left : left + w] = True
    if not hidden.all():
      return hidden


@pytest.mark.parametrize(('frame', 'blocks', 'scale'), [((14, 14), 8, 0.15), ((14, 14), 2, 0.7), ((6, 9), 3, 0.3)])
def test_blocks_of_tubes_hide_what_the_official_ones_do(frame, blocks, scale):
  t, (height, width), b = 2, frame, 600
  n = height * width
  drawn = jax.jit(partial(video.tube_blocks, grid=(t, *frame), blocks=blocks, scale=scale, keep=1 / (t * n)))(keys(b))
  weight = np.asarray(drawn.weight[:, 0]) > 0
  assert drawn.keep.shape == (b, 1) and drawn.targets.shape == drawn.weight.shape == (b, 1, t * n - 1)
  ours = np.zeros((b, t * n), bool)
  for row, targets, new in zip(ours, np.asarray(drawn.targets[:, 0]), weight, strict=True):
    row[targets] = True
    assert len(set(targets[new].tolist())) == new.sum() == row.sum()  # what is repeated has no weight
  np.testing.assert_array_equal(ours[:, :n], ours[:, n:])  # through all frames
  rng = np.random.default_rng(0)
  theirs = np.stack([union_of_blocks(rng, frame, blocks, scale) for _ in range(b)])
  ours = ours[:, :n].reshape(b, *frame)
  assert stats.ks_2samp(ours.mean((1, 2)), theirs.mean((1, 2))).pvalue > 1e-3
  np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.1)


def test_a_context_of_tubes_is_cut_as_published():
  """To its first positions, of which none is a target; where there are fewer, these are repeated."""
  grid, n = (2, 4, 4), 32
  cut = video.tube_blocks(keys(200), grid=grid, blocks=2, scale=0.7, keep=0.125)
  assert cut.keep.shape == (200, 4) and cut.targets.shape == (200, 1, 28)
  for keep, targets, weight in zip(*(np.asarray(x).tolist() for x in (cut.keep, cut.targets[:, 0], cut.weight[:, 0])), strict=True):
    hidden = {i for i, w in zip(targets, weight, strict=True) if w}
    seen = sorted({*range(n)} - hidden)
    assert keep == (seen * n)[:4] and not hidden & {*keep} and {*targets} == hidden
  with pytest.raises(ValueError, match='keep is 1.0'):
    video.tube_blocks(keys(2), grid=grid, keep=1.0)


def test_frames_of_a_clip_are_cropped_alike():
  frame = jax.random.randint(jax.random.key(1), (8, 6, 6, 2), 0, 256).astype(jnp.uint8)
  options = dict(size=4, crop=dict(scale=(0.3, 1.0)), flip=0.5)
  (clip,) = video_views.whole_clip(keys(8), {'clip': jnp.stack([frame, frame, 255 - frame], 1)}, mean=(0.5, 0.25), std=(1.0, 2.0), **options)
  (one,) = augment(keys(8), {'image': frame}, views=1, **options)
  assert clip.shape == (8, 3, 4, 4, 2)
  pixels = clip * jnp.array([1.0, 2.0]) + jnp.array([0.5, 0.25])
  for i, expected in enumerate((one, one, 1 - one)):
    np.testing.assert_allclose(pixels[:, i], expected, atol=1e-5)


def test_frames_are_two_different_ones():
  clip = jnp.broadcast_to(jnp.arange(4, dtype=jnp.uint8)[None, :, None, None, None] * 51, (96, 4, 4, 4, 1))
  first, second = video_views.frames(keys(96), {'clip': clip})
  pair = np.stack([first[:, 0, 0, 0], second[:, 0, 0, 0]], 1)
  assert (pair[:, 0] != pair[:, 1]).all() and len(np.unique(pair.round(3), axis=0)) == 12


@pytest.mark.parametrize(
  ('view', 'schedule'),
  [(diffusion.cosine_noise, cosine_schedule), (diffusion.linear_noise, linear_schedule), (diffusion.inverted_noise, inverted_schedule)],
)
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
