"""Random crops of pictures as they are stored: which boxes, the same for whoever reads, and what is made of them."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from PIL import Image

from jssl.core.build import open_data, plan
from jssl.core.loop import open_source
from jssl.core.mesh import make_mesh
from jssl.core.step import init_state
from jssl.data.core import pictures
from jssl.data.core.crops import ATTEMPTS, boxes, crops_of
from jssl.data.core.pictures import cropped, decode
from jssl.data.core.sources import GrainSource
from jssl.data.own import packed
from jssl.errors import ConfigError, DataError
from jssl.run import make_panel
from jssl.testing import first_batch
from jssl.views.image import augment, plain
from tests.made import tiny


def ramp(height: int, width: int) -> np.ndarray:
  """A picture that tells where it is cut: red by row, green by column."""
  y, x = np.mgrid[:height, :width]
  return np.stack([255 * y / (height - 1), 255 * x / (width - 1), 0 * x + 128], -1).astype(np.uint8)


def encoded(x: np.ndarray, form: str = 'PNG', **options) -> bytes:
  file = io.BytesIO()
  Image.fromarray(x).save(file, form, **options)
  return file.getvalue()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Forty pictures of two classes, no two of one size."""
  where = tmp_path_factory.mktemp('photos')
  for i in range(40):
    place = where / 'ab'[i % 2] / f'{i:02d}.jpg'
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(encoded(ramp(40 + 3 * i, 150 - 2 * i), 'JPEG', quality=95))
  return where


CROP = dict(views=2, scale=(0.2, 1.0))


def spec(folder, **changes):
  return dict(name=f'folder:{folder}', resize=16, crop=CROP) | changes


def test_boxes_are_within_of_the_area_and_ratio_and_spread_as_they_should():
  crops = crops_of(dict(views=1, scale=(0.08, 0.5)), (8, 8))
  found = np.array([boxes(crops, 3, 1, i, 400, 300)[0] for i in range(4000)], float)
  top, left, h, w = found.T
  assert (top >= 0).all() and (left >= 0).all() and (top + h <= 400).all() and (left + w <= 300).all()
  area, ratio = h * w / (400 * 300), w / h
  assert 0.079 < area.min() and area.max() < 0.505 and 0.74 < ratio.min() and ratio.max() < 1.35
  np.testing.assert_allclose(area.mean(), 0.29, atol=0.01)
  np.testing.assert_allclose(np.log(ratio).mean(), 0, atol=0.01)
  np.testing.assert_allclose((top / (400 - h)).mean(), 0.5, atol=0.02)


def test_boxes_follow_from_seed_epoch_example_and_view_alone():
  crops = crops_of(dict(views=(dict(scale=(0.4, 1.0)), dict(scale=(0.05, 0.4)), {})), (8, 8))
  assert boxes(crops, 0, 0, 5, 90, 120) == boxes(crops, 0, 0, 5, 90, 120)
  others = [boxes(crops, *key, 90, 120) for key in ((0, 0, 5), (1, 0, 5), (0, 1, 5), (0, 0, 6))]
  assert len({box for some in others for box in some}) == 12
  area = lambda view: np.array([np.prod(boxes(crops, 0, 0, i, 90, 120)[view][2:]) for i in range(50)]) / (90 * 120)
  assert area(0).min() > 0.39 and area(1).max() < 0.41


def test_a_picture_that_no_box_fits_is_cut_at_the_centre():
  assert boxes(crops_of(dict(views=1, scale=(0.9, 1.0)), (8, 8)), 0, 0, 0, 10, 400) == [(0, 193, 10, 13)]
  assert ATTEMPTS == 10


@pytest.mark.parametrize('form', ['PNG', 'JPEG'])
@pytest.mark.parametrize('turned', [1, 6])
def test_a_crop_is_the_box_of_the_upright_picture(form, turned):
  x, exif = ramp(300, 200), Image.Exif()
  exif[0x0112] = turned
  data = encoded(np.rot90(x) if turned == 6 else x, form, exif=exif, **(dict(quality=98) if form == 'JPEG' else {}))
  box = (60, 20, 120, 90)
  (found,) = cropped(data, (30, 30, 3), lambda height, width: [box] if (height, width) == (300, 200) else [])
  top, left, h, w = box
  wanted = np.asarray(Image.fromarray(x).resize((30, 30), Image.Resampling.BICUBIC, box=(left, top, left + w, top + h)))
  assert np.abs(found.astype(int) - wanted)[..., :2].max() <= (1 if form == 'PNG' else 6)


def test_a_jpeg_is_decoded_smaller_where_its_boxes_allow(monkeypatch):
  data, sizes = encoded(ramp(640, 640), 'JPEG'), []
  shrunk = pictures._eight_bits
  monkeypatch.setattr(pictures, '_eight_bits', lambda image: sizes.append(image.size) or shrunk(image))
  for boxes_ in ([(0, 0, 640, 640)], [(0, 0, 300, 300)], [(0, 0, 640, 640), (9, 9, 70, 70)]):
    cropped(data, (64, 64, 3), lambda height, width, boxes_=boxes_: boxes_)
  assert sizes == [(80, 80), (160, 160), (640, 640)]


def test_batches_are_the_same_on_any_number_of_processes_and_after_a_resume(folder):
  split = open_data(spec(folder)).splits['train']
  one = GrainSource(split, 8, seed=4, process_index=0, process_count=1)
  whole = [one.next() for _ in range(6)]
  assert whole[0]['image'].shape == (8, 2, 16, 16, 3) and whole[-1]['epoch'].max() == 1
  for count in (2, 4):
    parts = [GrainSource(split, 8, seed=4, process_index=p, process_count=count) for p in range(count)]
    for batch in whole:
      some = [part.next() for part in parts]
      for name, x in batch.items():
        np.testing.assert_array_equal(x, np.concatenate([part[name] for part in some]))
  again = GrainSource(split, 8, seed=4, process_index=0, process_count=1, threads=3, decoders=1)
  again.restore({**one.save(), 'batches': 4})
  for batch in whole[4:]:
    for name, x in again.next().items():
      np.testing.assert_array_equal(x, batch[name])
  np.testing.assert_array_equal(one.batch(4)['image'], whole[4]['image'])


def test_a_worker_reads_the_same_crops(folder):
  split = open_data(spec(folder)).splits['train']
  alone, spread = (GrainSource(split, 8, seed=4, process_index=0, process_count=1, workers=n, prefetch=1) for n in (0, 1))
  for _ in range(2):
    np.testing.assert_array_equal(alone.next()['image'], spread.next()['image'])
  spread.close()


def test_crops_reach_what_a_cut_at_the_centre_leaves_out(folder):
  split = open_data(spec(folder, crop=dict(views=1, scale=(0.08, 0.3)))).splits['train']
  rows = np.arange(len(split))
  green = np.concatenate([split.drawn(rows, epoch, 0)['image'][..., 1].ravel() for epoch in range(8)])
  wide = rows[[int(name[2:4]) < 10 for name in split.names]]  # wider than high, so that the sides are cut off
  assert green.min() < 5 and green.max() > 250
  assert split.take(wide)['image'][..., 1].min() > 20


def test_evaluation_reads_the_cut_at_the_centre(folder):
  cut, plainly = open_data(spec(folder)), open_data(spec(folder, crop=None))
  for name in ('train', 'test'):
    rows = np.arange(len(cut.splits[name]))
    np.testing.assert_array_equal(cut.splits[name].take(rows)['image'], plainly.splits[name].take(rows)['image'])
  assert cut.spec == plainly.spec and cut.splits['test'].crop is None


def system(folder, **changes):
  c = tiny('simclr', data=spec(folder), batch_size=8, evaluators={}, inputs=dict(name='plain'))
  return c | dict(view=dict(name='augment', flip=0.5)) | changes


def test_a_system_trains_on_crops(folder):
  p = plan(system(folder))
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  assert {k: (x.shape, x.dtype) for k, x in batch.items()} == {k: (x.shape, x.dtype) for k, x in p.batch.items()}
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  assert np.isfinite(jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))[0])
  assert p.method.represent(params, state, {'image': jnp.zeros((2, 16, 16, 3), jnp.uint8)}).pooled.shape[0] == 2
  assert open_source(p)._crops


def test_the_health_panel_looks_at_the_first_crop(folder):
  p = plan(system(folder))
  state = jax.jit(lambda: init_state(p.phases[0], jax.random.key(0)))()
  with jax.set_mesh(make_mesh({}, jax.devices()[:1])):
    figures = make_panel(p)(0, jax.device_put(state, NamedSharding(jax.sharding.get_mesh(), PartitionSpec())), first_batch(p))
  assert figures and all(np.isfinite(x) for x in figures.values())


def test_networks_have_the_size_of_the_crops(folder):
  c = system(folder, data=spec(folder, resize=20, crop=dict(size=12)), inputs=dict(name='plain', size=12))
  c['backbone'] = dict(name='vit', width=16, depth=1, heads=2, patch=4)
  params, _ = jax.eval_shape(lambda: plan(c).method.init(jax.random.key(0)))
  assert params['backbone']['positions'].shape == (9, 16)


def test_rows_of_a_split_are_cropped_and_joined_ones_are_refused(folder):
  few = dict(name='subset', of=spec(folder), train=16)
  assert first_batch(plan(system(folder, data=few)))['image'].shape == (8, 2, 16, 16, 3)
  with pytest.raises(DataError, match='cannot be cropped; leave data.crop out'):
    plan(system(folder, data=dict(name='few', of=spec(folder), shots=2)))
  tuned = dict(name='development', of=spec(folder))
  assert first_batch(plan(system(folder, data=tuned)))['image'].shape == (8, 2, 16, 16, 3)


def test_pictures_are_packed_as_they_are_stored(folder, tmp_path, monkeypatch):
  monkeypatch.setattr(packed, 'SHARD', 20_000)
  of = open_data(spec(folder))
  packed.pack(of, tmp_path / 'packed')
  assert len(list((tmp_path / 'packed').glob('train-*'))) > 2
  back, rows = open_data(dict(name=f'packed:{tmp_path / "packed"}')), np.arange(len(of.splits['train']))
  for name in ('image', 'label'):
    np.testing.assert_array_equal(back.splits['train'].drawn(rows, 2, 5)[name], of.splits['train'].drawn(rows, 2, 5)[name])
    for split in ('train', 'test'):
      some = np.arange(len(of.splits[split]))
      np.testing.assert_array_equal(back.splits[split].take(some)[name], of.splits[split].take(some)[name])
  assert back.spec == of.spec and back.info['drawn'] == of.info['drawn']
  other = open_data(dict(name=f'packed:{tmp_path / "packed"}', crop=dict(views=1, size=12)))
  assert GrainSource(other.splits['train'], 8, process_index=0, process_count=1, workers=1).next()['image'].shape == (8, 1, 12, 12, 3)
  packed.pack(open_data(spec(folder, crop=None)), tmp_path / 'cut')
  with pytest.raises(DataError, match='already scaled and cropped; pack the data with crop'):
    open_data(dict(name=f'packed:{tmp_path / "cut"}', crop=CROP))


@pytest.mark.parametrize(
  ('crop', 'says'),
  [
    (dict(scales=(0.1, 1)), "crop has no option 'scales'; it takes views, size, scale, ratio"),
    (dict(views=(dict(blur=1),)), "no option 'blur'"),
    (dict(views=0), 'expected at least 1 crop'),
    (dict(size=(8, 0)), '1 pixel per side'),
    (dict(scale=(0.5, 1.5)), '0 < low <= high <= 1'),
    (dict(ratio=(2.0, 1.0)), '0 < low <= high'),
  ],
)
def test_wrong_options_are_refused(folder, crop, says):
  with pytest.raises(DataError, match=says) as error:
    open_data(spec(folder, crop=crop))
  assert '\n' not in str(error.value)


def test_views_must_be_as_many_as_crops_and_crop_once(folder):
  with pytest.raises(ConfigError, match="'image' has 2 crops an example, of which 3 views are asked for"):
    plan(system(folder, view=dict(name='augment', views=3)))
  with pytest.raises(ConfigError, match='a view crops it again'):
    plan(system(folder, view=dict(name='augment', crop={})))
  keys, batch = jax.random.split(jax.random.key(0), 2), {'image': jnp.ones((2, 3, 8, 8, 3), jnp.uint8) * jnp.arange(3)[:, None, None, None]}
  batch = {'image': batch['image'].astype(jnp.uint8)}
  for views in (augment(keys, batch, views=3), plain(keys, batch)):
    np.testing.assert_allclose([255 * x[0, 0, 0, 0] for x in views], [0, 1, 2], atol=1e-4)


def test_decoders_are_as_many_as_asked_for():
  try:
    pictures.decoders(3)
    assert pictures.pool()._max_workers == 3
    pictures.decoders(0)
    assert pictures.pool()._max_workers == pictures.cores()
    pictures.decoders(40)  # more than 16
    assert pictures.pool()._max_workers == 40
  finally:
    pictures.decoders(0)
  assert decode(encoded(ramp(20, 30)), (10, 10, 3)).shape == (10, 10, 3)
