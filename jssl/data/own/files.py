"""User files: their splits, and detection of changes."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jssl import storage
from jssl.errors import DataError

LISTED = 20_000  # files with individual stamps; for more files, only their number and a digest are kept
SPLITS = dict(test='test', validation='validation', valid='validation', val='validation')


class Slice(NamedTuple):
  """A part of a file, such as a member of a tar."""

  path: str
  offset: int
  size: int


def content(place: str | bytes | Slice | Callable[[], bytes]) -> bytes:
  """The contents of a file, of a part of one, or the result of a function; bytes are returned as they are."""
  if isinstance(place, bytes):
    return place
  if callable(place):
    return place()
  if isinstance(place, Slice):
    with open(place.path, 'rb') as file:
      file.seek(place.offset)
      return file.read(place.size)
  return storage.path(place, home=False).read_bytes()


def stamps(paths: Iterable[str | os.PathLike]) -> dict[str, str]:
  """File -> size and modification time; for very many files, their number and a digest of all stamps."""
  here = sorted({*map(str, paths)})
  found = {name: f'{(told := os.stat(path)).st_size}-{told.st_mtime_ns}' for name, path in zip(storage.addresses(here), here, strict=True)}
  if len(found) <= LISTED:
    return found
  return {f'{len(found)} files': hashlib.sha256(''.join(f'{k}\0{v}\n' for k, v in found.items()).encode()).hexdigest()}


def held_out(names: Sequence[str | bytes], share: float) -> np.ndarray:
  """[n] bool: which examples are held out, by a hash of each name, so that adding an example does not move others.

  Raises:
    DataError: if the share is invalid, or makes a split empty.
  """
  if not 0 < share < 1:
    raise DataError(f'held_out={share}: expected a share of the examples between 0 and 1')
  digest = lambda name: hashlib.blake2b(name.encode() if isinstance(name, str) else name, digest_size=8).digest()
  held = np.array([int.from_bytes(digest(name)) < share * 2**64 for name in names], bool)
  if held.all() or not held.any():
    raise DataError(f'held_out={share} of {len(held)} examples makes a split empty; give more examples, another share, or a test split')
  return held


def parts(path: Path) -> dict[str, Path]:
  """Split -> its path: the folders train and test (or val) in a folder, else PATH_test (or PATH_val) next to PATH.

  Paths in a bucket give local copies.

  Raises:
    DataError: if nothing is found.
  """
  return {split: storage.near(of) for split, of in _parts(path).items()}


def _parts(path: Path) -> dict[str, Path]:
  if not path.exists():
    raise DataError(f'{path} does not exist; give the path of your data')
  found = {}
  if path.is_dir() and (path / 'train').is_dir():
    found = {split: path / name for name, split in SPLITS.items() if (path / name).is_dir()}
    return with_test({'train': path / 'train', **found})
  stem = (path.stem if path.is_file() else path.name).removesuffix('_train').removesuffix('_TRAIN')
  suffix = path.suffix if path.is_file() else ''
  for name, split in SPLITS.items():
    for beside in (path.with_name(f'{stem}_{spelled}{suffix}') for spelled in (name, name.upper())):
      if beside.exists() and beside != path:
        found[split] = beside
  return with_test({'train': path, **found})


def with_test(found: dict) -> dict:
  """Splits by name; a validation split is used for evaluation if there is no test split."""
  if 'test' not in found and 'validation' in found:
    found['test'] = found.pop('validation')
  return found
