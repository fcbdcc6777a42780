"""Fashion-MNIST, read from the IDX files of Debian's package or from TensorFlow Datasets."""

import gzip
import os
import zlib
from pathlib import Path

import numpy as np

from jssl.data.core.arrays import Columns
from jssl.data.vision.cards import FASHION_MNIST
from jssl.data.vision.images import tfds
from jssl.errors import DataError
from jssl.types import Column, Data

PACKAGE = 'dataset-fashion-mnist'  # of Debian and Ubuntu
FOLDER = '/usr/share/datasets/fashion-mnist'  # where it has its files
FILES = dict(train='train', test='t10k')  # split -> prefix of its files


def fashion_mnist(*, train: int | None = None, idx_dir: str | os.PathLike | None = None, data_dir: str | os.PathLike | None = None) -> Data:
  """70,000 images of articles of clothing, 28x28 grey, ten classes: 60,000 for training and 10,000 for testing, as published.

  The four IDX files are those of Debian's package dataset-fashion-mnist, which needs no network: `apt install dataset-fashion-mnist`. Where
  they are missing, the data set of TensorFlow Datasets is read, and prepared if necessary.

  Args:
    train: number of training examples, the first of the file, which are in random order; None for all.
    idx_dir: folder of the IDX files; by default $JSSL_FASHION_MNIST_DIR, or the folder of the package.
    data_dir: folder of prepared data sets of TensorFlow Datasets, as in `mnist5k`.
  Returns:
    Data with columns image [28 28 1] uint8 and label [] int32.
  Raises:
    DataError: if the data are in neither place, or a file is damaged.

  Reference: Xiao, Rasul, Vollgraf, 2017, arXiv:1708.07747. File format: LeCun, Cortes, Burges, 'MNIST handwritten digit database', 2010.
  """
  asked = idx_dir or os.environ.get('JSSL_FASHION_MNIST_DIR')
  folder = Path(asked or FOLDER).expanduser()
  if asked or folder.is_dir():
    splits = {split: Columns(_split(folder, prefix)) for split, prefix in FILES.items()}
    held = len(splits['train'])
  else:
    splits, held = {}, FASHION_MNIST.sizes['train']
  if train is not None and not 0 < train <= held:
    raise DataError(f'train={train}: fashion_mnist has {held} training examples; give a number up to that')
  if not splits:
    return _prepared(folder, train, data_dir)
  if train is not None:
    splits['train'] = Columns({name: x[:train] for name, x in splits['train'].columns.items()})
  card = FASHION_MNIST
  return Data(
    splits=splits,
    spec=dict(image=Column(card.shape, np.uint8), label=Column((), np.int32, size=len(card.classes), classes=card.classes)),
    inputs='image',
    info=dict(
      name=card.name,
      version=card.version,
      classes=card.classes,
      description=card.description,
      licence=card.licence,
      citation=card.citation,
      homepage=card.homepage,
    ),
  )


def _prepared(folder: Path, train: int | None, data_dir: str | os.PathLike | None) -> Data:
  """The data set of TensorFlow Datasets, opened, so that an error can name the package too."""
  try:
    data = tfds('fashion_mnist', train='train' if train is None else f'train[:{train}]', data_dir=data_dir)
    len(data.splits['train'])
  except (DataError, ImportError) as error:
    raise DataError(f'fashion_mnist is not in {folder}: apt install {PACKAGE}, or read it by TensorFlow Datasets: {error}') from error
  return data


def _split(folder: Path, prefix: str) -> dict[str, np.ndarray]:
  """Images [n 28 28 1] and labels [n] of a split."""
  images, labels = (read_idx(folder / f'{prefix}-{kind}-ubyte.gz', axes) for kind, axes in (('images-idx3', 3), ('labels-idx1', 1)))
  if images.shape[1:] != FASHION_MNIST.shape[:2]:
    raise DataError(f'{folder}: {prefix} has images of {list(images.shape[1:])}; expected {list(FASHION_MNIST.shape[:2])}')
  if not 0 < len(images) == len(labels):
    raise DataError(f'{folder}: {prefix} has {len(images)} images and {len(labels)} labels; expected as many of each; install {PACKAGE} again')
  if labels.max() >= (classes := len(FASHION_MNIST.classes)):
    raise DataError(f'{folder}: {prefix} has the label {labels.max()}; expected 0 to {classes - 1}')
  return dict(image=images[..., None], label=labels.astype(np.int32))


def read_idx(path: Path, axes: int) -> np.ndarray:
  """Reads an array of bytes from a gzipped IDX file.

  The file begins with the bytes 0, 0, 8 (unsigned bytes) and the number of axes, then has the size of each axis as a big-endian uint32, then
  the entries, the last axis varying fastest.

  Args:
    path: the file.
    axes: the expected number of axes.
  Returns:
    uint8, with that many axes.
  Raises:
    DataError: if the file is missing, of another format, or shorter or longer than its header says.
  """
  advice = f'install {PACKAGE} again, or give the folder of the four files as idx_dir'
  try:
    content = gzip.decompress(path.read_bytes())
  except (OSError, EOFError, zlib.error) as error:
    raise DataError(f'{path} cannot be read ({getattr(error, "strerror", None) or error}); {advice}') from error
  head = 4 + 4 * axes
  if len(content) < head or content[:4] != bytes((0, 0, 8, axes)):
    raise DataError(f'{path} begins with {content[:4].hex()}; expected {bytes((0, 0, 8, axes)).hex()}, an IDX file of bytes; {advice}')
  shape = tuple(map(int, np.frombuffer(content, '>u4', axes, 4)))
  if len(content) - head != (size := int(np.prod(shape, dtype=np.uint64))):
    raise DataError(f'{path} has {len(content) - head} entries, and its header says {size}; {advice}')
  return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
