"""Image views against Pillow, SciPy, Matplotlib and slow loops written from the definitions. One file, since all views share the oracles."""

import itertools
import math
import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from scipy import ndimage, stats

from jssl import views
from jssl.masks import patches
from jssl.ops import draws
from jssl.views import image
from jssl.views.columns import scaled as scaled_columns


def keys(b, seed=0):
  return jax.random.split(jax.random.key(seed), b)


def photos(b=4, h=24, w=24, c=3, seed=0):
  """Smooth random images in [0.2, 0.8], so that jitter need not clip."""
  x = np.random.default_rng(seed).random((b, h, w, c))
  return (0.2 + 0.6 * ndimage.gaussian_filter(x, (0, 1, 1, 0))).astype(np.float32)


def draw(x, seed=0, **options):
  """All views of x, as numpy."""
  batch = {'image': jnp.asarray(x)}
  return [np.asarray(v) for v in jax.jit(partial(views.augment, **options))(keys(len(x), seed), batch)]


# Geometry.


def pillow(x, box, size):
  """Crops, then resizes by Pillow's antialiased triangle filter, channel by channel."""
  top, left, h, w = box
  planes = [Image.fromarray(p).crop((left, top, left + w, top + h)) for p in np.moveaxis(x, -1, 0)]
  return np.stack([np.asarray(p.resize(size[::-1], Image.Resampling.BILINEAR)) for p in planes], -1)


@pytest.mark.parametrize('size', [(24, 30), (7, 11), (40, 33)])
def test_a_crop_is_resized_as_pillow_does(size):
  x = photos(5, 24, 30)
  boxes = np.array([[0, 0, 24, 30], [3, 5, 8, 9], [23, 29, 1, 1], [2, 0, 22, 4], [10, 1, 5, 28]], np.float32)
  ours = image._resample(jnp.asarray(x), tuple(boxes.T), size)
  theirs = [pillow(a, box.astype(int), size) for a, box in zip(x, boxes, strict=True)]
  np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_the_whole_image_is_a_crop_of_scale_one():
  x = photos(3, 20, 20)
  whole = dict(scale=(1.0, 1.0), ratio=(1.0, 1.0))
  same, small = draw(x, crop=whole, views=({}, dict(size=(8, 12))))
  np.testing.assert_array_equal(same, x)
  (resized,) = views.plain(None, {'image': x}, size=(8, 12))
  theirs = [pillow(a, (0, 0, 20, 20), (8, 12)) for a in x]
  np.testing.assert_allclose(small, theirs, atol=2e-6)
  np.testing.assert_allclose(resized, theirs, atol=2e-6)
  np.testing.assert_allclose(draw(x, views=1, size=(8, 12))[0], theirs, atol=2e-6)


def published_box(rng, h, w, scale, ratio):
  """Random resized crop, from its definition: ten attempts in turn."""
  for _ in range(10):
    area, r = h * w * rng.uniform(*scale), math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
    cw, ch = round(math.sqrt(area * r)), round(math.sqrt(area / r))
    if 0 < cw <= w and 0 < ch <= h:
      return rng.integers(0, h - ch + 1), rng.integers(0, w - cw + 1), ch, cw
  raise AssertionError('no box fits')


@pytest.mark.parametrize('shape', [(96, 96), (60, 80)])
def test_crops_are_distributed_as_published(shape):
  crop, n = image.Crop(), 3000
  box = jax.jit(lambda k: image._crop_box(draws.uniform(k, 22), crop, shape))(keys(n))
  top, left, h, w = ours = np.asarray(jnp.stack(box, 1)).T
  assert np.all(ours == np.round(ours)) and min(h.min(), w.min()) >= 1
  assert top.min() == 0 and left.min() == 0 and (top + h).max() == shape[0] and (left + w).max() == shape[1]
  rng = np.random.default_rng(0)
  theirs = np.array([published_box(rng, *shape, crop.scale, crop.ratio) for _ in range(n)]).T.astype(float)
  for f in (lambda t, l, h, w: h * w, lambda t, l, h, w: w / h, lambda t, l, h, w: t, lambda t, l, h, w: l):
    assert stats.ks_2samp(f(*ours), f(*theirs)).pvalue > 1e-3


def test_a_crop_that_cannot_fit_is_the_largest_in_the_centre():
  crop = image.Crop(scale=(1.0, 1.0))
  for shape, want in (((12, 90), (0, 37, 12, 16)), ((90, 12), (37, 0, 16, 12))):
    box = image._crop_box(draws.uniform(keys(5), 22), crop, shape)
    np.testing.assert_array_equal(np.stack(box, 1), [want] * 5)


def test_a_quarter_turn_is_rot90():
  x = photos(2, 9, 9)
  for degrees, k in ((90, -1), (-90, 1), (180, 2)):
    np.testing.assert_allclose(image_affine(x, degrees=(degrees, degrees)), np.rot90(x, k, (1, 2)), atol=3e-5)


def image_affine(x, seed=0, **affine):
  return draw(x, seed, views=1, affine=affine)[0]


def test_affine_equals_scipy_under_the_inverse_matrix():
  h, w, degrees, scale, shear, (tx, ty) = 20, 26, 25.0, 1.3, 12.0, (0.1, -0.15)
  x = photos(2, h, w)
  ours = image_affine(
    x,
    degrees=(degrees, degrees),
    scale=(scale, scale),
    shear=(shear, shear),
    translate=((tx, tx), (ty, ty)),
  )
  t, s = math.radians(degrees), math.tan(math.radians(shear))
  turn = np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])  # acts on (x, y), y down
  forward = turn @ (scale * np.eye(2)) @ np.array([[1, -s], [0, 1]])
  inverse = np.linalg.inv(forward)[::-1, ::-1]  # on (y, x)
  centre = np.array([(h - 1) / 2, (w - 1) / 2])
  offset = centre - inverse @ (centre + np.array([ty * h, tx * w]))
  for a, b in itertools.product(range(2), range(3)):
    theirs = ndimage.affine_transform(x[a, ..., b], inverse, offset, order=1, mode='grid-constant')
    np.testing.assert_allclose(ours[a, ..., b], theirs, atol=2e-5)


def test_crop_and_affine_are_one_look_up():
  x, size = photos(6, 20, 24), 13
  o = dict(crop=dict(scale=(0.2, 0.6)), size=size, views=1)
  ours = draw(x, affine={}, **o)[0]
  plane = np.stack(np.mgrid[:20, :24], -1)[None].repeat(6, 0) / 24 + 0.5  # a crop of the coordinates tells the box
  corners = draw(plane.astype(np.float32), crop=o['crop'], size=(20, 24), views=1)[0]
  for a, seen in enumerate((corners - 0.5) * 24):
    # Resized up, a box's border pixels are its first and last.
    (top, left), (bottom, right) = np.round(seen[0, 0]), np.round(seen[-1, -1])
    h, w = bottom - top + 1, right - left + 1
    rows = top + (np.arange(size) + 0.5) / size * h - 0.5
    columns = left + (np.arange(size) + 0.5) / size * w - 0.5
    at = np.meshgrid(rows, columns, indexing='ij')
    for c in range(3):
      theirs = ndimage.map_coordinates(x[a, ..., c], at, order=1, mode='grid-constant')
      np.testing.assert_allclose(ours[a, ..., c], theirs, atol=2e-5)


def test_affine_draws_fill_their_ranges():
  """One bright pixel, seen after each map alone, tells what was drawn."""
  b, s = 400, 41
  x = np.zeros((b, s, s, 1), np.float32)
  x[:, 20, 28] = 1  # 8 to the right of the centre
  turned, moved, scaled = draw(
    x,
    views=(dict(affine=dict(degrees=60)), dict(affine=dict(translate=(0.2, 0.1))), dict(affine=dict(scale=(0.8, 1.6)))),
  )

  def at(v):
    rows, columns = np.mgrid[:s, :s] - 20
    v = v[..., 0] / v.sum((1, 2, 3))[:, None, None]
    return (v * columns).sum((1, 2)), (v * rows).sum((1, 2))

  dx, dy = at(turned)
  angle = np.degrees(np.arctan2(dy, dx))
  assert np.abs(angle).max() < 62 and stats.kstest(angle, 'uniform', (-60, 120)).pvalue > 1e-3
  dx, dy = at(moved)
  assert stats.kstest(dx - 8, 'uniform', (-0.2 * s, 0.4 * s)).pvalue > 1e-3
  assert stats.kstest(dy, 'uniform', (-0.1 * s, 0.2 * s)).pvalue > 1e-3
  dx, dy = at(scaled)
  assert stats.kstest(dx / 8, 'uniform', (0.8, 0.8)).pvalue > 1e-3 and np.abs(dy).max() < 1e-3


def test_flips():
  x = photos(400, 2, 3, 1)
  left, down, some = draw(x, views=(dict(flip=1.0), dict(vflip=1.0), dict(flip=0.3)))
  np.testing.assert_array_equal(left, x[:, :, ::-1])
  np.testing.assert_array_equal(down, x[:, ::-1])
  turned = np.all(some == x[:, :, ::-1], (1, 2, 3))
  assert np.all(turned | np.all(some == x, (1, 2, 3)))
  assert stats.binomtest(int(turned.sum()), 400, 0.3).pvalue > 1e-3


# Colour.

LUMA = np.array([0.2989, 0.587, 0.114])


def brighten(x, f):
  return np.clip(f * x, 0, 1)


def contrast(x, f):
  mean = x.mean((1, 2), keepdims=True)
  return np.clip(f * x + (1 - f) * (mean @ LUMA[:, None] if x.shape[-1] == 3 else mean), 0, 1)


def saturate(x, f):
  return np.clip(f * x + (1 - f) * (x @ LUMA)[..., None], 0, 1)


def turn(x, f):
  hsv = rgb_to_hsv(x)
  hsv[..., 0] = (hsv[..., 0] + f) % 1
  return hsv_to_rgb(hsv)


OPERATIONS = dict(brightness=(brighten, 1.4), contrast=(contrast, 0.6), saturation=(saturate, 1.8), hue=(turn, 0.3))


@pytest.mark.parametrize('name', OPERATIONS)
def test_each_operation_of_the_jitter(name):
  f, amount = OPERATIONS[name]
  x = np.concatenate([photos(3, 8, 8), np.random.default_rng(1).random((1, 8, 8, 3), np.float32)])
  x[3, :2] = [0.0, 0.5, 0.5]
  x[3, 2:4] = x[3, 2:4, :, :1]  # grey pixels have no hue
  ours = draw(x, views=1, jitter={name: (amount, amount), 'p': 1.0})[0]
  np.testing.assert_allclose(ours, f(x.astype(np.float64), amount), atol=2e-6)


def test_jitter_takes_every_order_equally_often():
  amounts = dict(brightness=1.8, contrast=0.6, hue=0.3)  # which do not commute: the first clips, the last changes luma
  given = {name: (f, f) for name, f in amounts.items()}
  x = np.repeat(photos(1, 6, 6), 600, 0)
  shuffled, fixed = draw(x, jitter=dict(given, p=1.0), views=({}, dict(jitter=dict(given, p=1.0, shuffle=False))))
  want = []
  for order in itertools.permutations(amounts):
    y = x[:1].astype(np.float64)
    for name in order:
      y = OPERATIONS[name][0](y, amounts[name])
    want.append(y[0])
  np.testing.assert_allclose(fixed, np.broadcast_to(want[0], x.shape), atol=3e-6)
  is_order = np.stack([np.abs(shuffled - y).max((1, 2, 3)) < 1e-5 for y in want])
  assert np.all(is_order.sum(0) == 1)
  assert stats.chisquare(is_order.sum(1)).pvalue > 1e-3


def test_jitter_factors_fill_their_ranges():
  x = np.full((2000, 2, 2, 1), 0.4, np.float32)
  x[:, 0] = 0.2
  bright, strong = draw(x, views=(dict(jitter=dict(brightness=0.4)), dict(jitter=dict(brightness=1.2, p=1.0))))
  f = bright[:, 1, 1, 0] / 0.4
  applied = ~np.all(bright == x, (1, 2, 3))
  assert stats.binomtest(int(applied.sum()), 2000, 0.8).pvalue > 1e-3
  assert stats.kstest(f[applied], 'uniform', (0.6, 0.8)).pvalue > 1e-3
  assert stats.kstest(strong[:, 1, 1, 0] / 0.4, 'uniform', (0.0, 2.2)).pvalue > 1e-3  # 1 - 1.2 is held at 0
  red = np.broadcast_to(np.float32([0.8, 0.2, 0.2]), (2000, 1, 1, 3))
  hue = rgb_to_hsv(np.clip(draw(red, views=1, jitter=dict(hue=0.2, p=1.0))[0][:, 0, 0], 0, 1))[:, 0]
  assert stats.kstest((hue + 0.5) % 1 - 0.5, 'uniform', (-0.2, 0.4)).pvalue > 1e-3


def test_grey_solarize_cutout_and_standardisation():
  x = photos(4, 10, 10)
  grey, solar, hole, standard = draw(
    x,
    views=(
      dict(grey=1.0),
      dict(solarize=1.0),
      dict(cutout=dict(size=0.4), mean=0.5),
      dict(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)),
    ),
  )
  np.testing.assert_allclose(grey, np.repeat((x @ LUMA)[..., None], 3, -1), atol=1e-6)
  np.testing.assert_allclose(solar, np.where(x >= 0.5, 1 - x, x), atol=1e-6)
  np.testing.assert_allclose(standard, (x - [0.4, 0.5, 0.6]) / [0.2, 0.25, 0.3], atol=2e-6)
  empty = np.all(hole == 0, -1)
  np.testing.assert_allclose(hole[~empty], x[~empty] - 0.5, atol=1e-6)
  for mask in empty:
    rows, columns = np.any(mask, 1).sum(), np.any(mask, 0).sum()
    assert 2 <= rows <= 4 and 2 <= columns <= 4 and mask.sum() == rows * columns


@pytest.mark.parametrize('size', [(30, 34), (60, 44)])
def test_blur_equals_scipy(size):
  x = np.random.default_rng(0).random((2, *size, 3), np.float32)
  sigma, radius = 1.7, max(1, min(size) // 20)
  short, long, never = draw(
    x,
    views=(
      dict(blur=dict(sigma=(sigma, sigma), p=1.0)),
      dict(blur=dict(sigma=(sigma, sigma), p=1.0, radius=5)),
      dict(blur=dict(p=0.0)),
    ),
  )
  blurred = partial(ndimage.gaussian_filter, x, (0, sigma, sigma, 0), mode='mirror')
  np.testing.assert_allclose(short, blurred(radius=(0, radius, radius, 0)), atol=2e-6)
  np.testing.assert_allclose(long, blurred(radius=(0, 5, 5, 0)), atol=2e-6)
  np.testing.assert_array_equal(never, x)


# Channels, columns, options.


def test_scaled_columns_are_bytes():
  with pytest.raises(ValueError, match="'clip' is float32; expected uint8"):
    scaled_columns(None, {'clip': jnp.zeros((2, 3))}, names=('clip',))
  np.testing.assert_allclose(scaled_columns(None, {'clip': jnp.full((2, 3), 255, jnp.uint8)}, names=('clip',), mean=0.5)[0], 0.5)


def test_uint8_is_scaled_and_float_is_not():
  x = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3), np.uint8)
  np.testing.assert_allclose(views.plain(None, {'image': x})[0], x / 255, atol=1e-7)
  np.testing.assert_allclose(draw(x, views=1)[0], draw((x / 255).astype(np.float32), views=1)[0], atol=1e-7)
  assert draw(x.astype(np.float16) / 255, views=1)[0].dtype == np.float32


def test_one_channel_has_no_colour_and_other_numbers_are_refused():
  colour = dict(grey=1.0, jitter=dict(saturation=0.5, hue=0.5, p=1.0), views=1)
  x = photos(2, 6, 6, 1)
  np.testing.assert_array_equal(draw(x, **colour)[0], x)
  many = photos(2, 12, 12, 13)
  for refused in (dict(grey=0.1), dict(jitter=dict(hue=0.1))):
    with pytest.raises(ValueError, match='3 channels'):
      draw(many, **refused)
  y = draw(many, views=1, jitter=dict(contrast=(0.5, 0.5), p=1.0))[0]
  np.testing.assert_allclose(y, contrast(many, 0.5), atol=1e-6)
  whole = draw(many, views=1, crop={}, affine={}, flip=0.5, jitter=dict(brightness=0.5), blur={}, cutout={}, size=7)[0]
  assert whole.shape == (2, 7, 7, 13) and np.all(np.isfinite(whole))


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    (dict(column='picture'), 'no column'),
    (dict(views=0), 'views'),
    (dict(views=(dict(blurr={}),)), 'unknown options'),
    (dict(crop=dict(scales=(0.1, 1))), 'it takes'),
    (dict(crop=dict(scale=(0.0, 1))), 'low'),
    (dict(flip=1.5), 'probability'),
    (dict(blur=dict(p=-1)), 'probability'),
    (dict(jitter=dict(hue=0.6)), 'turns'),
    (dict(jitter=dict(contrast=(-1, 1))), 'negative'),
    (dict(mean=(0.5, 0.5)), 'channels'),
    (dict(std=0.0), 'positive'),
    (dict(size=(3, 4, 5)), 'size'),
  ],
)
def test_bad_options_are_refused_before_anything_runs(options, message):
  shapes = jax.eval_shape(lambda: (keys(2), {'image': jnp.zeros((2, 8, 8, 3))}))
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(partial(views.augment, **options), *shapes)


def test_bad_images_are_refused():
  for x in (np.zeros((2, 8, 8)), np.zeros((2, 8, 8, 3), np.int32)):
    with pytest.raises(ValueError, match='expected'):
      views.plain(None, {'image': x})


# What depends on what.

RECIPE = dict(
  crop=dict(scale=(0.3, 1.0)),
  flip=0.5,
  jitter=dict(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2),
  grey=0.2,
  blur={},
  mean=0.5,
  std=0.25,
)
TWO = (dict(affine=dict(degrees=30, translate=0.1, scale=(0.8, 1.2), shear=10)), dict(solarize=0.5, cutout={}, size=12))


def everything(k, x):
  return (
    views.augment(k, {'image': x}, views=TWO, **RECIPE),
    patches.random_mask(k, n=49, ratio=0.6),
    patches.beit_block_mask(k, n=49, least=4),
    patches.drawn_block_mask(k, n=49),
    patches.block_mask(k, n=49),
  )


def test_a_part_of_the_batch_gives_that_part_of_the_views():
  x = photos(12, 16, 16)
  f = jax.jit(everything)
  whole, part = f(keys(12), x), f(keys(12)[4:8], x[4:8])
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a[4:8], b, atol=1e-5), whole, part)
  again = f(keys(12), x)
  jax.tree.map(np.testing.assert_array_equal, whole, again)
  assert not np.allclose(whole[0][0][0], whole[0][0][1])


def test_a_view_does_not_depend_on_the_others_nor_an_operation_on_another():
  x = photos(4, 16, 16)
  one, two = draw(x, views=1, crop={}), draw(x, views=3, crop={})
  np.testing.assert_array_equal(one[0], two[0])
  assert not np.allclose(two[0], two[1])
  flipped = draw(x, views=1, flip=0.5)[0]
  more = draw(x, views=1, flip=0.5, vflip=1.0, jitter=dict(brightness=(0.5, 0.5), p=1.0))[0]
  np.testing.assert_array_equal(more, 0.5 * flipped[:, ::-1])


ON_EIGHT = r"""
import re, sys, jax, jax.numpy as jnp, numpy as np
sys.path.insert(0, sys.argv[1])
from test_image import everything, keys, photos
from jax.sharding import AxisType, NamedSharding, PartitionSpec
assert jax.device_count() == 8
k, x = keys(16), jnp.asarray(photos(16, 16, 16))
one = jax.jit(everything)(k, x)
mesh = jax.make_mesh((8,), ('data',), axis_types=(AxisType.Auto,))
spread = NamedSharding(mesh, PartitionSpec('data'))
step = jax.jit(everything, out_shardings=spread).lower(*jax.device_put((k, x), spread)).compile()
talk = re.findall(r'(all-gather|all-reduce|all-to-all|collective-permute)\(', step.as_text())
assert not talk, talk
eight = step(*jax.device_put((k, x), spread))
jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), one, eight)
"""


@pytest.mark.rotating
def test_one_device_and_eight_give_the_same_views_without_talking():
  env = dict(os.environ, JAX_PLATFORMS='cpu', XLA_FLAGS='--xla_force_host_platform_device_count=8')
  env['PYTHONPATH'] = os.pathsep.join(p for p in sys.path if p)
  command = [sys.executable, '-c', ON_EIGHT, os.path.dirname(__file__)]
  done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
  assert done.returncode == 0, done.stderr


# Masks.


@pytest.mark.parametrize(
  ('mask', 'n', 'm'),
  [
    (partial(patches.random_mask, n=196, ratio=0.75), 196, 49),
    (partial(patches.random_mask, n=10, ratio=0.9), 10, 1),
    (partial(patches.random_mask, n=7, ratio=0.0), 7, 7),
    (partial(patches.beit_block_mask, n=196), 196, 117),
    (partial(patches.beit_block_mask, grid=(6, 9), ratio=0.6, least=4), 54, 21),
  ],
)
def test_masks_split_the_tokens_in_two(mask, n, m):
  keep, hide, hidden, restore = (np.asarray(a) for a in jax.jit(mask)(keys(50)))
  assert keep.shape == (50, m) and hide.shape == (50, n) and hidden.shape == (50, n - m)
  both = np.concatenate([keep, hidden], 1)
  np.testing.assert_array_equal(np.sort(both, 1), np.tile(np.arange(n), (50, 1)))
  np.testing.assert_array_equal(np.take_along_axis(both, restore, 1), np.tile(np.arange(n), (50, 1)))
  for i in range(50):
    np.testing.assert_array_equal(np.flatnonzero(hide[i]), np.sort(hidden[i]))


def test_a_random_mask_is_uniform():
  hide = np.asarray(patches.random_mask(keys(4000), n=12, ratio=0.75).mask)
  counts = hide.sum(0)
  assert np.all(np.abs(counts / 4000 - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 4000))
  together = (hide.T.astype(int) @ hide)[~np.eye(12, dtype=bool)] / 4000  # without replacement: 9/12 8/11
  assert np.all(np.abs(together - 9 / 12 * 8 / 11) < 5 * math.sqrt(0.25 / 4000))


def published_blocks(rng, h, w, count, least, aspect):
  """Blockwise masking as the official code runs it."""
  mask = np.zeros((h, w), bool)
  while mask.sum() < count:
    room = count - mask.sum()
    for _ in range(10):
      area = least + rng.random() * (room - least)
      r = math.exp(rng.uniform(math.log(aspect[0]), math.log(aspect[1])))
      bh, bw = round(math.sqrt(area * r)), round(math.sqrt(area / r))
      if bh < h and bw < w:
        top, left = rng.integers(0, h - bh + 1), rng.integers(0, w - bw + 1)
        block = np.zeros((h, w), bool)
        block[top : top + bh, left : left + bw] = True
        if 0 < (block & ~mask).sum() <= room:
          mask |= block
          break
    else:
      break
  return mask


def edges(mask):
  """Neighbouring patches of which one is hidden."""
  return (mask[..., 1:] != mask[..., :-1]).sum((-1, -2)) + (mask[..., 1:, :] != mask[..., :-1, :]).sum((-1, -2))


def test_blockwise_masks_look_like_the_official_ones():
  n = 500
  ours = np.asarray(patches.beit_block_mask(keys(n), n=196, ratio=75 / 196).mask).reshape(n, 14, 14)
  rng = np.random.default_rng(0)
  theirs = np.stack([published_blocks(rng, 14, 14, 75, 16, (0.3, 1 / 0.3)) for _ in range(n)])
  assert np.all(ours.sum((1, 2)) == 75)
  assert abs(edges(ours).mean() - edges(theirs).mean()) < 4 * math.sqrt(2 * edges(theirs).var() / n)
  assert edges(ours).mean() < 0.5 * 2 * 14 * 13 * 2 * (75 / 196) * (121 / 195)  # what single patches would have
  np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.12)


@pytest.mark.parametrize(('grid', 'least'), [((14, 14), None), ((14, 14), 4), ((6, 10), None)])
def test_blockwise_masks_of_a_drawn_share_look_like_the_official_ones(grid, least):
  n, (h, w) = 600, grid
  draw = partial(patches.drawn_block_mask, grid=grid, ratio=(0.1, 0.5), least=least)
  ours = np.asarray(jax.jit(partial(draw, p=1.0))(keys(n)).mask).reshape(n, h, w)
  rng = np.random.default_rng(0)
  area = (min(h, w) // 3) ** 2 if least is None else least
  theirs = np.stack([published_blocks(rng, h, w, rng.uniform(0.1, 0.5) * h * w, area, (0.3, 1 / 0.3)) for _ in range(n)])
  assert ours.sum((1, 2)).max() <= 0.5 * h * w
  for figure in (lambda x: x.sum((1, 2)), edges):
    assert abs(figure(ours).mean() - figure(theirs).mean()) < 4 * math.sqrt(2 * figure(theirs).var() / n)
  np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.12)
  some = np.asarray(draw(keys(n)).mask).any(1)
  assert abs(some.mean() - 0.5) < 0.1 and not np.asarray(draw(keys(9), p=0.0).mask).any()


@pytest.mark.parametrize('grid', [(14, 14), (7, 7), (6, 10)])
def test_a_context_and_its_blocks(grid):
  h, w = grid
  n, b = h * w, 400
  possible = {
    (min(round(math.sqrt(a * r)), h), min(round(math.sqrt(a / r)), w))
    for a in range(int(0.15 * n), int(0.2 * n + 1e-6) + 1)
    for r in np.linspace(0.75, 1.5, 1000)
  }
  keep, targets, weight = (np.asarray(a) for a in jax.jit(partial(patches.block_mask, grid=grid))(keys(b)))
  assert keep.shape == (b, n // 4) and targets.shape == weight.shape and targets.shape[:2] == (b, 4)
  assert min(keep.min(), targets.min()) >= 0 and max(keep.max(), targets.max()) < n
  assert weight.sum(-1).max() == targets.shape[-1]  # no wider than it need be
  for i in range(b):
    sizes = set()
    for k in range(4):
      block = set(targets[i, k].tolist())
      rows, columns = {p // w for p in block}, {p % w for p in block}
      assert len(block) == len(rows) * len(columns) == weight[i, k].sum()
      assert len(set(targets[i, k][weight[i, k] == 1].tolist())) == len(block)
      assert max(rows) - min(rows) + 1 == len(rows) and max(columns) - min(columns) + 1 == len(columns)
      assert not block & set(keep[i].tolist())
      sizes.add((len(rows), len(columns)))
    assert len(sizes) == 1
    assert sizes < possible
  repeats = np.array([len(set(row.tolist())) < len(row) for row in keep])
  assert repeats.mean() < (0.05 if n > 100 else 0.25)


def test_the_context_is_as_large_as_published():
  """With room for all of it, the context is the block less the targets: its size against a slow count."""
  b, n = 1000, 196
  keep = np.asarray(jax.jit(partial(patches.block_mask, n=n, keep=1.0))(keys(b)).keep)
  ours = np.array([len(set(row.tolist())) for row in keep])
  rng, theirs = np.random.default_rng(0), []
  for _ in range(b):
    free = np.ones((14, 14), bool)
    area, r = int(n * rng.uniform(0.15, 0.2)), rng.uniform(0.75, 1.5)
    h, w = round(math.sqrt(area * r)), round(math.sqrt(area / r))
    for _ in range(4):
      top, left = rng.integers(0, 14 - h + 1), rng.integers(0, 14 - w + 1)
      free[top : top + h, left : left + w] = False
    s = round(math.sqrt(int(n * rng.uniform(0.85, 1.0))))
    top, left = rng.integers(0, 14 - s + 1), rng.integers(0, 14 - s + 1)
    theirs.append(free[top : top + s, left : left + s].sum())
  assert stats.ks_2samp(ours, theirs).pvalue > 1e-3


def test_a_context_that_is_cut_keeps_its_first_patches():
  full, cut = (np.asarray(patches.block_mask(keys(50), n=196, keep=share).keep) for share in (1.0, 0.2))
  for whole, part in zip(full, cut, strict=True):
    context = sorted(set(whole.tolist()))
    assert part.tolist() == (context * 39)[:39]


def test_units_of_patches_are_masked_together():
  """As in `MaskGenerator` of the official code of SimMIM: 30 of 49 units of 2 x 2 patches."""
  hidden = patches.unit_mask(keys(200), grid=(14, 14))
  mask = np.asarray(hidden.mask).reshape(200, 7, 2, 7, 2)
  assert (mask == mask[:, :, :1, :, :1]).all() and (mask[:, :, 0, :, 0].sum((1, 2)) == math.ceil(0.6 * 49)).all()
  np.testing.assert_allclose(mask.mean((0, 2, 4)), 30 / 49, atol=0.15)
  assert hidden.keep.shape == (200, 4 * 19)


def test_bad_masks_are_refused():
  for f, message in (
    (partial(patches.unit_mask, grid=(14, 7)), 'units of 2'),
    (partial(patches.random_mask, n=4, ratio=0.9), 'lower it'),
    (partial(patches.random_mask, n=4, ratio=1.0), 'ratio'),
    (partial(patches.beit_block_mask, n=12), 'grid'),
    (partial(patches.drawn_block_mask, n=16, ratio=(0.5, 0.1)), 'range'),
    (partial(patches.block_mask), 'grid'),
    (partial(patches.block_mask, n=16, grid=(4, 5)), 'grid'),
    (partial(patches.block_mask, n=16, target_scale=(0.3, 0.4)), 'lower targets'),
  ):
    with pytest.raises(ValueError, match=message):
      f(keys(2))
