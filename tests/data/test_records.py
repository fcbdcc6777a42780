import io
import json
import shutil
import socket
import urllib.request

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image

from jssl.data import digits, resident, tfds
from jssl.data.core import records
from jssl.data.core.readers import Readers
from jssl.data.core.records import decode
from jssl.data.core.some_classes import some_classes
from jssl.data.core.sources import GrainSource
from jssl.errors import DataError


def png(image, mode=None):
  file = io.BytesIO()
  Image.fromarray(image).convert(mode).save(file, 'png') if mode else Image.fromarray(image).save(file, 'png')
  return file.getvalue()


def picture(i, h, w):
  """A horizontal ramp, so that scaling keeps it a ramp."""
  return np.broadcast_to(np.linspace(i, 200, w)[None, :, None], (h, w, 3)).astype(np.uint8)


class JsslToy(tensorflow_datasets.core.GeneratorBasedBuilder):
  """Pictures of differing sizes."""

  VERSION = tensorflow_datasets.core.Version('1.0.0')
  code_path = None

  def _info(self):
    return tensorflow_datasets.core.DatasetInfo(
      builder=self,
      features=tensorflow_datasets.features.FeaturesDict(
        {
          'picture': tensorflow_datasets.features.Image(shape=(None, None, 3)),
          'kind': tensorflow_datasets.features.ClassLabel(names=['even', 'odd']),
          'caption': tensorflow_datasets.features.Text(),
        }
      ),
      license='none',
    )

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples(range(20)), 'validation': self._generate_examples(range(20, 26))}

  def _generate_examples(self, numbers):
    for i in numbers:
      image = Image.fromarray(picture(i, 20 + i, 30))
      yield i, {'picture': image, 'kind': i % 2, 'caption': f'picture {i}'}


@pytest.fixture(scope='module')
def toy(prepared):
  return dict(name='jssl_toy', image='picture', label='kind', test='validation', resize=16, data_dir=prepared)


def test_any_builder_is_read_and_resized(toy):
  data = tfds(**toy)
  assert data.spec['image'].shape == (16, 16, 3) and data.info['classes'] == ('even', 'odd')
  train = data.splits['train']
  assert len(train) == 20 and len(data.splits['test']) == 6
  batch = train.take(np.array([3, 0, 3]))
  assert batch['image'].shape == (3, 16, 16, 3)
  assert batch['image'].dtype == np.uint8 and batch['label'].dtype == np.int32
  np.testing.assert_array_equal(batch['image'][0], batch['image'][2])
  np.testing.assert_array_equal(train[3]['image'], batch['image'][0])
  assert sorted(resident(train).columns['label']) == [0] * 10 + [1] * 10


def test_images_are_cropped_from_what_is_stored(toy):
  data = tfds(**toy, crop=dict(views=3, scale=(0.1, 0.5), size=(6, 9)))
  train, rows = data.splits['train'], np.array([3, 0, 3])
  assert data.info['drawn'] == {'image': (3, 6, 9, 3)} and data.splits['test'].crop is None
  batch = train.drawn(rows, 2, 5)
  assert batch['image'].shape == (3, 3, 6, 9, 3)
  np.testing.assert_array_equal(batch['label'], train.take(rows)['label'])
  np.testing.assert_array_equal(batch['image'][0], batch['image'][2])
  np.testing.assert_array_equal(batch['image'][1], train.drawn(np.array([0]), 2, 5)['image'][0])
  assert (batch['image'][0] != train.drawn(rows[:1], 3, 5)['image'][0]).any()
  np.testing.assert_array_equal(train.take(rows)['image'], tfds(**toy).splits['train'].take(rows)['image'])


def test_a_worker_reads_the_same_images(toy):
  for crop in (None, dict(views=2)):
    split = tfds(**toy, crop=crop).splits['train']
    of = lambda workers, split=split: GrainSource(split, 5, memory=0, workers=workers, prefetch=1, process_index=0, process_count=1)
    alone, spread = of(0), of(1)
    np.testing.assert_array_equal(alone.next()['image'], spread.next()['image'])
    spread.close()


def test_records_are_read_by_a_bounded_number_of_files(toy):
  source, _ = tfds(**toy).splits['train']._opened
  assert isinstance(source.data_source, Readers)


def test_options_name_splits_features_and_sizes(toy):
  data = tfds(**toy | dict(train='train[:50%]', label=None, resize=(8, 24)))
  assert set(data.spec) == {'image'} and data.spec['image'].shape == (8, 24, 3)
  assert len(data.splits['train']) == 10
  whole = tfds(**toy | dict(label=None, resize=(8, 24))).splits['train']
  np.testing.assert_array_equal(data.splits['train'][4]['image'], whole[4]['image'])


def test_labels_are_read_without_images_and_kept(toy, monkeypatch):
  train = tfds(**toy | dict(train='train[:7]')).splits['train']
  monkeypatch.setattr(records, 'decode', None)
  labels = records.column_of(train, 'label')
  again = tfds(**toy | dict(train='train[:7]')).splits['train']
  again._prepared = None  # the kept column needs no builder
  assert labels.shape == (7,) and {*labels.tolist()} <= {0, 1}
  np.testing.assert_array_equal(records.column_of(again, 'label'), labels)


def test_classes_of_a_builder_are_cropped(toy):
  data = some_classes(of=tfds(**toy, crop=dict(views=2, size=6)), names=('odd',))
  batch = data.splits['train'].drawn(np.arange(4), 1, 2)
  assert len(data.splits['train']) == 10 and batch['image'].shape == (4, 2, 6, 6, 3) and not batch['label'].any()


def test_decoded_columns_are_kept_and_equal(toy):
  fresh = tfds(**toy | dict(resize=12)).splits['train']
  slow = fresh.take(np.arange(20))
  kept = resident(fresh).columns
  again = tfds(**toy | dict(resize=12)).splits['train']
  again._prepared = None  # the kept columns need no builder
  assert len(again) == 20
  for name, column in resident(again).columns.items():
    np.testing.assert_array_equal(column, slow[name])
    np.testing.assert_array_equal(column, kept[name])
  assert resident(tfds(**toy | dict(resize=12)).splits['train'], limit=1000) is None


def test_damaged_columns_are_decoded_again(toy, caplog):
  train = tfds(**toy | dict(resize=9)).splits['train']
  whole = resident(train).columns['image']
  file = train._kept / 'image.npy'
  file.write_bytes(file.read_bytes()[:500])
  again = tfds(**toy | dict(resize=9)).splits['train']
  np.testing.assert_array_equal(resident(again).columns['image'], whole)
  assert 'damaged' in caplog.text and file.stat().st_size > 500


def test_a_damaged_record_is_named(toy, prepared, tmp_path):
  resident(tfds(**toy).splits['test'])  # prepared by now
  folder = tmp_path / 'sets'
  shutil.copytree(prepared, folder)
  shutil.rmtree(next(folder.glob('jssl_toy/*/decoded')))
  file = next(folder.glob('jssl_toy/*/*train*'))
  data = bytearray(file.read_bytes())
  data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
  file.write_bytes(data)
  with pytest.raises(DataError, match=r"record \d+ of 'train' cannot be read .* damaged"):
    resident(tfds(**toy | dict(data_dir=folder)).splits['train'])


def test_a_folder_that_cannot_be_written_is_still_read(toy, monkeypatch):
  def refuse(*args):
    raise PermissionError('read-only')

  monkeypatch.setattr(records, '_keep', refuse)
  data = tfds(**toy | dict(resize=10))
  assert len(resident(data.splits['test'])) == 6


def test_scaling_covers_and_cuts_the_centre():
  ramp = np.broadcast_to(np.arange(0, 240, 2, dtype=np.uint8)[None, :], (60, 120))
  out = decode(png(ramp), (30, 30, 1))
  # scale 1/2, so the middle 60 of 120 columns, two to a pixel
  expected = ramp[0, 30:90].reshape(30, 2).mean(1)
  np.testing.assert_allclose(out[:, 2:-2, 0], np.broadcast_to(expected, (30, 30))[:, 2:-2], atol=1)
  np.testing.assert_array_equal(decode(png(ramp), (60, 120, 1))[:, :, 0], ramp)  # the right size is left alone


@pytest.mark.parametrize('form', ['png', 'jpeg'])
@pytest.mark.parametrize('size', [(1, 1), (3, 200), (400, 301), (16, 16)])
@pytest.mark.parametrize('channels', [1, 3])
def test_any_size_and_mode_gives_the_shape(form, size, channels):
  for mode in ['L', 'RGB', '1'] + (['P', 'RGBA'] if form == 'png' else ['CMYK']):
    file = io.BytesIO()
    Image.new('RGB', size, (200, 200, 200)).convert(mode).save(file, form)
    out = decode(file.getvalue(), (16, 16, channels))
    assert out.shape == (16, 16, channels) and out.dtype == np.uint8
    if mode not in '1P':
      np.testing.assert_allclose(out, 200, atol=3)


def test_no_size_is_refused_for_rounding():
  for width, height, side in [(500, 375, 96), *np.random.default_rng(0).integers(1, 300, (300, 3)).tolist()]:
    file = io.BytesIO()
    Image.new('L', (width, height), 9).save(file, 'jpeg')
    assert decode(file.getvalue(), (side, max(1, side // 3), 1)).shape[0] == side
    np.testing.assert_allclose(decode(file.getvalue(), (side, side, 1)), 9, atol=1)


def test_unknown_names_give_the_closest(prepared):
  with pytest.raises(DataError, match="unknown data set 'cifra10'.*cifar10, cifar100"):
    tfds('cifra10', data_dir=prepared)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (dict(resize=None), 'give resize=224'),
    (dict(resize=0), 'fixed size'),
    (dict(image='kind'), 'expected an image'),
    (dict(image='img'), 'say which with image='),
    (dict(label='caption'), 'say which with label='),
    (dict(label='labels'), "expected one of \\['caption', 'kind', 'picture'\\]"),
  ],
)
def test_what_cannot_be_read_is_refused_at_once(toy, change, message):
  with pytest.raises(DataError, match=message):
    tfds(**toy | change)


def test_a_split_that_is_not_there(toy):
  data = tfds(**toy | dict(test='test'))
  with pytest.raises(DataError, match=r"no split 'test'.*\['train', 'validation'\]"):
    len(data.splits['test'])


def test_no_network(tmp_path, monkeypatch):
  pytest.importorskip('importlib_resources')  # TFDS imports it for its own builders

  def refuse(*args, **options):
    raise OSError('unreachable')

  monkeypatch.setattr(socket, 'create_connection', refuse)
  monkeypatch.setattr(urllib.request, 'getproxies', dict)
  data = tfds('cifar10', data_dir=tmp_path)
  assert data.spec['image'].shape == (32, 32, 3)
  with pytest.raises(DataError, match='no network') as caught:
    len(data.splits['train'])
  message = str(caught.value)
  assert '\n' not in message and 'cifar10/3.0.2' in message and 'JSSL_DATA_DIR' in message and 'tfds build' in message


def test_a_builder_that_fails_says_why_and_leaves_nothing(tmp_path, toy, monkeypatch):
  def fail(self, dl_manager):
    raise RuntimeError('no such archive\nmore')

  monkeypatch.setattr(JsslToy, '_split_generators', fail)
  with pytest.raises(DataError, match='RuntimeError: no such archive. Do one of'):
    len(tfds(**toy | dict(data_dir=tmp_path)).splits['train'])
  assert not (tmp_path / 'jssl_toy' / '1.0.0').exists() and not list(tmp_path.rglob('incomplete*'))


def test_a_folder_that_cannot_be_made(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(DataError, match='set JSSL_DATA_DIR to a writable folder'):
    len(digits(data_dir=tmp_path / 'file').splits['train'])


def test_another_machine_may_be_first(tmp_path, toy, monkeypatch):
  prepare = JsslToy.download_and_prepare

  def lose(self, **options):
    prepare(JsslToy(data_dir=tmp_path, file_format='array_record'), **options)
    prepare(self, **options)
    raise FileExistsError('Destination already exists')

  monkeypatch.setattr(JsslToy, 'download_and_prepare', lose)
  assert len(tfds(**toy | dict(data_dir=tmp_path)).splits['train']) == 20


def test_records_without_random_access(tmp_path, toy):
  data = tfds(**toy | dict(data_dir=tmp_path))
  len(data.splits['train'])
  path = tmp_path / 'jssl_toy' / '1.0.0' / 'dataset_info.json'
  path.write_text(json.dumps(json.loads(path.read_text()) | dict(fileFormat='tfrecord')))
  with pytest.raises(DataError, match='tfrecord.*expected array_record'):
    len(tfds(**toy | dict(data_dir=tmp_path)).splits['train'])


def test_where_data_live(monkeypatch):
  for name in ('JSSL_DATA_DIR', 'TFDS_DATA_DIR'):
    monkeypatch.delenv(name, raising=False)
  assert records.home().name == 'tensorflow_datasets'
  monkeypatch.setenv('TFDS_DATA_DIR', '/a')
  assert str(records.home()) == '/a'
  monkeypatch.setenv('JSSL_DATA_DIR', '/b')
  assert str(records.home()) == '/b' and str(records.home('/c')) == '/c'
