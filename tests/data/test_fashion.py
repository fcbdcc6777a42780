import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from jssl.core.build import open_data
from jssl.data import fashion_mnist
from jssl.data.vision import fashion
from jssl.errors import DataError

REAL = Path('/usr/share/datasets/fashion-mnist')
SIZES = dict(train=30, t10k=10)


def idx(x: np.ndarray) -> bytes:
  return struct.pack('>HBB', 0, 8, x.ndim) + struct.pack(f'>{x.ndim}I', *x.shape) + x.tobytes()


@pytest.fixture
def files(tmp_path):
  """The four files, of few images, and what is in them."""
  rng, arrays = np.random.default_rng(0), {}
  for prefix, n in SIZES.items():
    arrays[prefix] = rng.integers(0, 256, (n, 28, 28), np.uint8), (np.arange(n) % 10).astype(np.uint8)
    for kind, x in zip(('images-idx3', 'labels-idx1'), arrays[prefix], strict=True):
      (tmp_path / f'{prefix}-{kind}-ubyte.gz').write_bytes(gzip.compress(idx(x)))
  return tmp_path, arrays


def test_images_and_labels_are_those_of_the_files(files, monkeypatch):
  folder, arrays = files
  monkeypatch.setenv('JSSL_FASHION_MNIST_DIR', str(folder))
  data = open_data(dict(name='fashion_mnist', train=20))
  for split, prefix, n in (('train', 'train', 20), ('test', 't10k', 10)):
    images, labels = arrays[prefix]
    columns = data.splits[split].columns
    np.testing.assert_array_equal(columns['image'], images[:n, :, :, None])
    np.testing.assert_array_equal(columns['label'], labels[:n])
    assert columns['image'].dtype == np.uint8 and columns['label'].dtype == np.int32
  assert data.spec['label'].size == 10 and data.spec['image'].shape == (28, 28, 1) and data.info['licence'].startswith('MIT')


def broken(content: bytes, how: str) -> bytes:
  plain = gzip.decompress(content)
  return {
    'cut': content[:-20],
    'short': gzip.compress(plain[:-1]),
    'long': gzip.compress(plain + b'\0'),
    'labels': gzip.compress(plain[:2] + b'\x08\x01' + plain[4:]),
    'int': gzip.compress(plain[:2] + b'\x0c' + plain[3:]),
    'empty': b'',
    'text': b'not gzipped',
  }[how]


@pytest.mark.parametrize(
  ('how', 'said'),
  [
    ('cut', 'cannot be read'), ('short', '23519 entries, and its header says 23520'), ('long', '23521 entries'),
    ('labels', 'expected 00000803'), ('int', 'begins with 00000c03'), ('empty', 'begins with ; expected|cannot be read'),
    ('text', 'cannot be read'),
  ],
)  # fmt: skip
def test_a_damaged_file_is_refused(files, how, said):
  path = files[0] / 'train-images-idx3-ubyte.gz'
  path.write_bytes(broken(path.read_bytes(), how))
  with pytest.raises(DataError, match=said) as error:
    fashion_mnist(idx_dir=files[0])
  assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_files_that_do_not_belong_together_are_refused(files):
  folder, arrays = files
  labels = folder / 'train-labels-idx1-ubyte.gz'
  labels.write_bytes(gzip.compress(idx(arrays['t10k'][1])))
  with pytest.raises(DataError, match='30 images and 10 labels'):
    fashion_mnist(idx_dir=folder)
  labels.write_bytes(gzip.compress(idx(arrays['train'][1] + np.uint8(3))))
  with pytest.raises(DataError, match='the label 12; expected 0 to 9'):
    fashion_mnist(idx_dir=folder)
  labels.unlink()
  with pytest.raises(DataError, match='No such file.*idx_dir'):
    fashion_mnist(idx_dir=folder)


def test_more_examples_than_there_are_cannot_be_asked_for(files):
  with pytest.raises(DataError, match='train=31: fashion_mnist has 30'):
    fashion_mnist(idx_dir=files[0], train=31)


def test_without_the_package_the_set_of_tfds_is_read_or_both_ways_are_named(monkeypatch, tmp_path):
  monkeypatch.setattr(fashion, 'FOLDER', str(tmp_path / 'none'))
  asked = []

  def prepared(name, *, train, data_dir):
    asked.append((name, train, data_dir))
    if data_dir is None:
      raise DataError('run `tfds build fashion_mnist`')
    return fashion.Data(dict(train=[0]), {}, 'image', {})

  monkeypatch.setattr(fashion, 'tfds', prepared)
  assert fashion_mnist(train=7, data_dir='sets').splits == dict(train=[0]) and asked == [('fashion_mnist', 'train[:7]', 'sets')]
  with pytest.raises(DataError, match='none: apt install dataset-fashion-mnist, .*tfds build fashion_mnist'):
    fashion_mnist()


@pytest.mark.skipif(not REAL.is_dir(), reason='the package dataset-fashion-mnist is not installed')
def test_the_package_has_the_published_set():
  data = fashion_mnist(idx_dir=REAL)
  counts = {name: np.bincount(split.columns['label']) for name, split in data.splits.items()}
  assert set(counts['train']) == {6000} and set(counts['test']) == {1000}
  pixels = data.splits['train'].columns['image'] / np.float32(255)
  assert abs(pixels.mean() - 0.286) < 1e-3 and abs(pixels.std() - 0.353) < 1e-3  # the known mean and deviation
