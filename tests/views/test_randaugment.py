"""RandAugment and random erasing: each operation against Pillow and timm, and the distribution of what is drawn."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats
from sklearn.datasets import load_sample_image

from jssl import views
from jssl.views import randaugment as ra
from jssl.views.erasing import Erase, erased
from tests.pretrained.case import absent

PHOTO = (load_sample_image('china.jpg')[100:260:4, 200:440:4] * 0.95 + 5).astype(np.uint8)  # 40 x 60, with room at both ends of the levels
FILL = (124, 116, 104)


def keys(b, seed=0):
  return jax.random.split(jax.random.key(seed), b)


def draw(x, seed=0, **options):
  return np.asarray(jax.jit(partial(views.augment, views=1, **options))(keys(len(x), seed), {'image': jnp.asarray(x)})[0])


def pillow(name, image, share, sign, increasing):
  """An operation of timm's set by Pillow."""
  w, h = image.size
  moved = dict(resample=Image.Resampling.BILINEAR, fillcolor=FILL[: len(image.getbands())] if image.mode == 'RGB' else FILL[0])
  shift = lambda *matrix: image.transform(image.size, Image.Transform.AFFINE, matrix, **moved)
  bits, threshold = int(4 * share), int(256 * share)
  if increasing:
    bits, threshold = 4 - bits, 256 - threshold
  factor = max(0.1, 1 + 0.9 * sign * share) if increasing else 0.1 + 1.8 * share
  enhanced = lambda kind: getattr(ImageEnhance, kind)(image).enhance(factor)
  added = [min(255, i + int(110 * share)) if i < 128 else i for i in range(256)]
  return dict(
    autocontrast=lambda: ImageOps.autocontrast(image),
    equalize=lambda: ImageOps.equalize(image),
    invert=lambda: ImageOps.invert(image),
    posterize=lambda: ImageOps.posterize(image, bits),
    solarize=lambda: ImageOps.solarize(image, threshold),
    solarize_add=lambda: image.point(added * len(image.getbands())),
    color=lambda: enhanced('Color'),
    contrast=lambda: enhanced('Contrast'),
    brightness=lambda: enhanced('Brightness'),
    sharpness=lambda: enhanced('Sharpness'),
    rotate=lambda: image.rotate(sign * 30 * share, **moved),
    shear_x=lambda: shift(1, sign * 0.3 * share, 0, 0, 1, 0),
    shear_y=lambda: shift(1, 0, 0, sign * 0.3 * share, 1, 0),
    translate_x=lambda: shift(1, 0, sign * 0.45 * share * w, 0, 1, 0),
    translate_y=lambda: shift(1, 0, 0, 0, 1, sign * 0.45 * share * h),
  )[name]()


CASES = [(i, share, sign) for i in range(len(ra.OPERATIONS)) for share, sign in ((0.93, 1), (0.41, -1))]
ours = jax.jit(ra.operation, static_argnums=4)


@pytest.mark.parametrize('increasing', [True, False])
@pytest.mark.parametrize('channels', [3, 1])
def test_each_operation_is_that_of_pillow(channels, increasing):
  x = PHOTO if channels == 3 else PHOTO[..., :1]
  image = Image.fromarray(x if channels == 3 else x[..., 0])
  chosen, share, sign = (np.array(column) for column in zip(*CASES, strict=True))
  many = np.broadcast_to(np.float32(x), (len(CASES), *x.shape))
  found = ours(many, chosen, np.float32(share), sign, increasing, np.float32(FILL[:channels]))
  for mine, (i, share, sign) in zip(found, CASES, strict=True):
    theirs = np.asarray(pillow(ra.OPERATIONS[i], image, share, sign, increasing), np.float32).reshape(x.shape)
    error = np.abs(mine - theirs)
    assert error.max() <= 1 and error.mean() < 0.02, (ra.OPERATIONS[i], share, sign, error.max(), error.mean())
    assert np.any(theirs != x) or (channels, ra.OPERATIONS[i]) == (1, 'color')


def test_images_of_one_level_and_no_operation():
  flat = np.full((2, 5, 6, 3), 77, np.float32)
  for i in (-1, 0, 1):  # none, autocontrast and equalize
    np.testing.assert_array_equal(ours(flat, np.full(2, i), np.ones(2, np.float32), np.ones(2), True, np.float32(FILL)), flat)


@pytest.mark.skipif(bool(absent('timm')), reason='timm is not installed')
def test_the_oracle_is_timms(monkeypatch):
  from timm.data import auto_augment as timm

  image = Image.fromarray(PHOTO)
  for increasing in (True, False):
    names = timm.rand_augment_choices('', increasing=increasing)
    spelled = dict(TranslateXRel='translate_x', TranslateYRel='translate_y', ShearX='shear_x', ShearY='shear_y', SolarizeAdd='solarize_add')
    by_name = {spelled.get(name, name.removesuffix('Increasing').lower()): name for name in names}
    assert set(by_name) == set(ra.OPERATIONS)
    for i, share, sign in CASES:
      monkeypatch.setattr(timm.random, 'random', lambda sign=sign: 0.25 if sign > 0 else 0.75)
      hparams = dict(img_mean=FILL, interpolation=Image.Resampling.BILINEAR)
      theirs = timm.AugmentOp(by_name[ra.OPERATIONS[i]], prob=1.0, magnitude=10 * share, hparams=hparams)(image)
      np.testing.assert_array_equal(theirs, pillow(ra.OPERATIONS[i], image, share, sign, increasing), ra.OPERATIONS[i])


def recorded(monkeypatch, x, **options):
  """What examples draw: the operation, share and sign of each turn, [b number]."""
  told = []

  def operation(x, chosen, share, sign, increasing, fill):
    jax.debug.callback(lambda *drawn: told.append(drawn), chosen, share, sign, ordered=True)
    return x

  with monkeypatch.context() as patch:
    patch.setattr(ra, 'operation', operation)
    draw(x, randaugment=options)
    jax.effects_barrier()
  return (np.stack(drawn, 1) for drawn in zip(*told, strict=True))


def test_what_is_drawn(monkeypatch):
  chosen, share, sign = recorded(monkeypatch, np.zeros((4000, 2, 2, 3), np.float32), number=3, magnitude=6.0, std=1.5, p=0.7)
  assert chosen.shape == (4000, 3)
  assert stats.binomtest(int((chosen >= 0).sum()), 12_000, 0.7).pvalue > 1e-3
  assert stats.chisquare(np.bincount(chosen[chosen >= 0].astype(int), minlength=15)).pvalue > 1e-3
  assert stats.kstest(10 * share[share < 1], 'norm', (6, 1.5)).pvalue > 1e-3 and np.all((share >= 0) & (share <= 1))
  assert stats.binomtest(int((sign > 0).sum()), 12_000, 0.5).pvalue > 1e-3
  both = np.corrcoef(np.concatenate([chosen, share, sign], 1).T)[~np.eye(9, dtype=bool)]
  assert np.abs(both).max() < 5 / np.sqrt(4000)


def test_operations_are_applied_one_after_another(monkeypatch):
  x = np.broadcast_to(PHOTO, (8, *PHOTO.shape))
  levels = x.astype(np.float32)
  for chosen, share, sign in zip(*(drawn.T for drawn in recorded(monkeypatch, x)), strict=True):
    levels = ours(levels, chosen, share, sign, True, np.float32(FILL))
  np.testing.assert_allclose(255 * draw(x, randaugment={}, mean=np.float32(FILL) / 255) + FILL, levels, atol=1e-3)
  assert np.any(levels != x)


def test_other_draws_stay_as_they_are():
  x = np.float32(np.broadcast_to(PHOTO / 255, (8, *PHOTO.shape)))
  plain = draw(x, flip=0.5, vflip=0.5)
  np.testing.assert_allclose(draw(x, flip=0.5, vflip=0.5, randaugment=dict(p=0.0)), plain, atol=1e-6)
  erased = draw(x, flip=0.5, vflip=0.5, erase=dict(p=1.0, mode='zero'))
  np.testing.assert_array_equal(np.where(erased == 0, plain, erased), plain)


def test_what_comes_from_outside_is_the_mean():
  options = dict(randaugment=dict(number=1, p=1.0, magnitude=10.0, std=0.0), mean=(0.8, 0.4, 0.6))
  found = draw(np.zeros((400, 12, 12, 3), np.float32), **options)
  moved = np.any(np.all(np.abs(found) < 1e-6, -1), (1, 2))  # no other operation makes this colour of black
  assert stats.binomtest(int(moved.sum()), 400, len(ra.MOVES) / len(ra.OPERATIONS)).pvalue > 1e-3


def test_erased_boxes_are_distributed_as_published():
  h, w, b = 40, 60, 4000
  x = np.full((b, h, w, 1), 5.0, np.float32)
  found = draw(x, erase=dict(p=0.25, mode='zero'))[..., 0] == 0
  there = found.any((1, 2))
  assert stats.binomtest(int(there.sum()), b, 0.25).pvalue > 1e-3
  rows, columns = found[there].any(2), found[there].any(1)
  sizes = rows.sum(1), columns.sum(1)
  np.testing.assert_array_equal(found[there].sum((1, 2)), sizes[0] * sizes[1])
  rng = np.random.default_rng(0)
  theirs = []
  while len(theirs) < b:
    area, ratio = rng.uniform(0.02, 1 / 3) * h * w, np.exp(rng.uniform(np.log(0.3), -np.log(0.3)))
    sides = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
    if sides[0] < h and sides[1] < w:
      theirs.append((*sides, rng.integers(h - sides[0] + 1), rng.integers(w - sides[1] + 1)))
  mine = (*sizes, rows.argmax(1), columns.argmax(1))
  for a, b in zip(mine, zip(*theirs, strict=True), strict=True):
    assert stats.ks_2samp(a, b).pvalue > 1e-3


def test_erased_pixels_are_normal_noise():
  x = np.full((200, 20, 20, 3), 50.0, np.float32)
  noise = draw(x, erase=dict(p=1.0))
  noise = noise[noise != 50]
  assert len(noise) > 5000 and stats.kstest(noise, 'norm').pvalue > 1e-3


def test_eight_devices_do_not_talk():
  f = jax.jit(lambda keys, x: erased(keys, ra.drawn_operations(keys, x, ra.RandAugment(), 0.5), Erase()))
  mesh = jax.make_mesh((8,), ('data',), axis_types=(AxisType.Auto,))
  spread = jax.device_put((keys(8), np.zeros((8, 6, 6, 3), np.float32)), NamedSharding(mesh, PartitionSpec('data')))
  assert not re.findall(r'(all-gather|all-reduce|all-to-all|collective-permute)\(', f.lower(*spread).compile().as_text())


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    (dict(randaugment=dict(number=0)), 'number of at least 1'),
    (dict(randaugment=dict(magnitude=11.0)), r'magnitude in \[0, 10\]'),
    (dict(randaugment=dict(p=2.0)), 'probability'),
    (dict(randaugment=dict(n=2)), 'it takes'),
    (dict(erase=dict(mode='rand')), "choose 'pixel'"),
    (dict(erase=dict(scale=(0.5, 0.1))), 'low'),
  ],
)
def test_bad_options_are_refused(options, message):
  shapes = jax.eval_shape(lambda: (keys(2), {'image': jnp.zeros((2, 8, 8, 3))}))
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(partial(views.augment, **options), *shapes)
  with pytest.raises(ValueError, match='3 channels'):
    jax.eval_shape(partial(views.augment, randaugment={}), shapes[0], {'image': jnp.zeros((2, 8, 8, 4))})
