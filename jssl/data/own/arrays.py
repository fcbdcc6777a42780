"""Arrays in NumPy files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jssl.data.core.arrays import RESIDENT, arrays
from jssl.data.core.pictures import MODES, first_line
from jssl.data.own.files import held_out as drawn
from jssl.data.own.files import parts, stamps
from jssl.errors import DataError
from jssl.storage import reach
from jssl.types import Data

LABELS = ('label', 'labels', 'y', 'targets')
IMAGES = ('image', 'images', 'x')
SUFFIX = '_test'


def array(path: str, *, inputs: str | None = None, held_out: float = 0.2) -> Data:
  """Columns of an .npz file by their names, or the one column of an .npy file.

  Columns whose names end in `_test` are the test split, as is PATH_test next to PATH. x or images is renamed image if it has images, [n h w],
  [n h w c] or [n c h w]; labels or y is renamed label.

  Args:
    path: path of the file.
    inputs: the input column of the backbone; by default image, or the first one.
    held_out: share of the examples in 'test', by a hash of their contents (for arrays above 256 MiB, of their indices).

  Returns:
    Data.

  Raises:
    DataError: if the file cannot be read, or its columns are not numeric arrays of equal length.
  """
  where, columns = reach(path), {}
  found = parts(where)
  if 'validation' in found:
    raise DataError(f'{where}: there are files for both test and validation next to it; keep one of them')
  for split, of in found.items():
    for name, x in opened(of).items():
      own, ending = (name.removesuffix(SUFFIX), 'test') if name.endswith(SUFFIX) else (name, split)
      columns.setdefault(ending, {})[called(own, x)] = shaped(own, x)
  try:
    if 'train' not in columns:
      raise ValueError('it has no columns of training examples, without _test in their names')
    lengths = {len(x) if x.ndim else None for x in columns['train'].values()}
    if len(lengths) > 1 or None in lengths:
      shapes = {name: list(x.shape) for name, x in columns['train'].items()}
      raise ValueError(f'its columns have shapes {shapes}; expected the same first axis in each, the examples')
    split = {} if 'test' in columns else dict(split='random')
    if split:
      x = next(iter(columns['train'].values()))
      names = [str(i) if x.nbytes > RESIDENT else np.ascontiguousarray(x[i]).tobytes() for i in range(len(x))]
      held = drawn(names, held_out)
      columns = {name: {k: x[rows] for k, x in columns['train'].items()} for name, rows in (('train', ~held), ('test', held))}
    train = columns['train']
    first = inputs or ('image' if 'image' in train else next((name for name in train if name != 'label'), None))
    return arrays(**train, test=columns['test'], inputs=first, info=dict(name=path, fingerprint=stamps(found.values()), **split))
  except DataError:
    raise
  except (ValueError, TypeError) as error:
    raise DataError(f'{where}: {error}') from error


def opened(path: Path) -> Mapping[str, np.ndarray]:
  """The arrays of a file by their names; an .npy file is memory-mapped."""
  try:
    found = np.load(path, mmap_mode='r' if path.suffix == '.npy' else None, allow_pickle=False)
    return dict(found.items()) if path.suffix == '.npz' else {'x': found}
  except Exception as error:  # for other file types, NumPy raises errors of many types
    raise DataError(f'{path} cannot be read as arrays of numbers ({first_line(error)}); write it with numpy.save or numpy.savez') from error


def called(name: str, x: np.ndarray) -> str:
  """The name of a column in `Data`."""
  if name in LABELS and x.ndim == 1 and x.dtype.kind in 'iub':
    return 'label'
  return 'image' if name in IMAGES and shaped(name, x).ndim == 4 else name


def shaped(name: str, x: np.ndarray) -> np.ndarray:
  """Images as [n h w c]."""
  if name not in IMAGES:
    return x
  if x.ndim == 3 and x.dtype == np.uint8:
    return x[..., None]
  if x.ndim == 4 and x.shape[-1] not in MODES and x.shape[1] in MODES:
    return np.transpose(x, (0, 2, 3, 1))
  return x
