"""Splits of TFDS data sets: random access to array_record files, decoded on the host, without TensorFlow.

The data folder is `data_dir` if given, else $JSSL_DATA_DIR, else the default of TFDS: $TFDS_DATA_DIR, else ~/tensorflow_datasets. A small split
caches its decoded columns next to its records, as `decoded/<split...>/<column>.npy`. Reading those needs neither TFDS nor a decoder, which
account for most of the time to open a small data set.
"""

import contextlib
import difflib
import functools
import io
import logging
import math
import os
import re
import shutil
import socket
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from jssl import storage
from jssl.data.core.arrays import Columns
from jssl.data.core.crops import Crops, boxes
from jssl.data.core.pictures import READER, cropped, decode, first_line, pool
from jssl.data.core.readers import Readers
from jssl.errors import DataError
from jssl.types import Column

FORMAT = 'array_record'


def home(data_dir: str | os.PathLike | None = None) -> Path:
  """The folder of prepared data sets: `data_dir`, $JSSL_DATA_DIR, $TFDS_DATA_DIR or ~/tensorflow_datasets."""
  chosen = data_dir or os.environ.get('JSSL_DATA_DIR') or os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets'
  found = storage.path(chosen)
  if storage.remote(found):
    raise DataError(f'prepared data sets need a local folder, and $JSSL_DATA_DIR or data_dir is {found}; give a local one')
  return found


class Records:
  """One split of a TFDS data set, opened on first access.

  Args:
    prepared: () -> a TFDS builder whose records are on disk.
    split: name of the split in TFDS, which may include slices: 'train', 'train[:90%]'.
    spec: column -> shape and dtype of one example.
    fields: column -> the TFDS feature it comes from.
    folder: the folder of this version of the data set, where decoded columns are cached.
    crop: the crops that `drawn` makes of each image; None for no crops.
  """

  def __init__(
    self,
    prepared: Callable[[], Any],
    split: str,
    spec: Mapping[str, Column],
    fields: Mapping[str, str],
    folder: Path,
    crop: Crops | None = None,
  ):
    self.crop = crop
    self._prepared, self._split, self._spec, self._fields = prepared, split, dict(spec), dict(fields)
    # The folder name encodes the contents: another resize, feature or reader has another folder.
    parts = [split, f'v{READER}', *('.'.join([fields[name], *map(str, x.shape)]) for name, x in spec.items())]
    self._kept = Path(folder) / 'decoded' / quote('-'.join(parts), safe='')
    self._columns = None

  def __len__(self) -> int:
    if self._columns is not None:
      return len(self._columns)
    if self._kept.is_dir():
      with contextlib.suppress(OSError, ValueError):  # damaged: `decoded` detects this and writes it again
        return len(self._load(next(iter(self._spec)), mmap_mode='r'))
    return len(self._opened[0])

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: column[0] for name, column in self.take(np.array([index])).items()}

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The examples `rows` [b], decoded and stacked: column -> [b ...]."""
    if self._columns is not None:
      return self._columns.take(rows)
    return self._told(rows, lambda name, row, data: decode(data, self._spec[name].shape))

  def drawn(self, rows: np.ndarray, epoch: int, seed: int) -> dict[str, np.ndarray]:
    """The examples `rows` [b] with random crops of the stored images: image [b v h w c], other columns as in `take`."""

    def read(name: str, row: int, data: bytes) -> np.ndarray:
      shape = (*self.crop.size, self._spec[name].shape[-1])
      return cropped(data, shape, functools.partial(boxes, self.crop, seed, epoch, row))

    return self._told(rows, read)

  def _told(self, rows: np.ndarray, picture: Callable[[str, int, bytes], np.ndarray]) -> dict[str, np.ndarray]:
    try:
      return self._read(rows, picture)
    except Exception as error:  # readers and decoders raise errors of many types
      if len(rows) > 1:
        for row in rows:  # to name the failing row
          self._told(np.array([row]), picture)
      if isinstance(error, DataError):
        raise
      raise DataError(
        f'record {int(rows[0])} of {self._split!r} cannot be read ({first_line(error)}): the files in {self._kept.parent.parent} are damaged;'
        ' remove the folder and prepare the data set again'
      ) from error

  def _read(self, rows: np.ndarray, picture: Callable[[str, int, bytes], np.ndarray]) -> dict[str, np.ndarray]:
    source, encoded = self._opened
    records = source.__getitems__([int(row) for row in rows])
    batch = {}
    for name, x in self._spec.items():
      values = [record[self._fields[name]] for record in records]
      if name in encoded:
        batch[name] = np.stack(list(pool().map(functools.partial(picture, name), map(int, rows), values)))
      else:
        batch[name] = np.stack([np.asarray(value, x.dtype).reshape(x.shape) for value in values])
    return batch

  def decoded(self, limit: int) -> Columns | None:
    """Loads the whole split into memory and caches it on disk; None if it takes more than `limit` bytes."""
    if len(self) * sum(math.prod(x.shape) * x.dtype.itemsize for x in self._spec.values()) > limit:
      return None
    if self._columns is None:
      columns = None
      if self._kept.is_dir():
        try:
          columns = {name: self._load(name) for name in self._spec}
        except (OSError, ValueError) as error:
          logging.getLogger('jssl').warning('the decoded columns in %s are damaged (%s); decoding again', self._kept, first_line(error))
          shutil.rmtree(self._kept, ignore_errors=True)
      if columns is None:
        # In parts, so that the encoded records are never all in memory at once.
        pieces = [self.take(rows) for rows in np.array_split(np.arange(len(self)), -(-len(self) // 4096))]
        columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in self._spec}
        with contextlib.suppress(OSError):  # the folder is not writable: decode again next time
          _keep(columns, self._kept)
      self._columns = Columns(columns)
    return self._columns

  def _load(self, name: str, **options: Any) -> np.ndarray:
    return np.load(self._kept / f'{name}.npy', **options)

  @functools.cached_property
  def _opened(self):
    import tensorflow_datasets as tfds

    builder = self._prepared()
    features = builder.info.features
    images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    try:
      source = builder.as_data_source(self._split, decoders={key: tfds.decode.SkipDecoding() for key in images})
    except NotImplementedError as error:
      raise DataError(
        f'{builder.info.full_name} in {builder.data_path} is stored as {builder.info.file_format.value}, which has no'
        f' random access: expected {FORMAT}; run `tfds convert_format --root_data_dir={builder.data_path}'
        f' --out_file_format={FORMAT}` or prepare it again with `--file_format={FORMAT}`'
      ) from error
    except (ValueError, KeyError) as error:
      raise DataError(
        f'{builder.info.full_name} has no split {self._split!r}: expected one of {sorted(builder.info.splits)}, or a'
        " slice of one as in 'train[:90%]'"
      ) from error
    # Replaces the reader of TFDS, which keeps every file open that it has read.
    source.data_source = Readers([(x.filename, x.skip, x.take) for x in builder.info.splits[self._split].file_instructions])
    return source, {name for name, field in self._fields.items() if field in images}

  def __getstate__(self) -> dict[str, Any]:
    return {name: x for name, x in self.__dict__.items() if name != '_opened'}  # for pickling to a worker


def column_of(records: Records, name: str) -> np.ndarray:
  """One column of all examples of a split, [n ...], without images being decoded; kept next to the decoded columns."""
  file = records._kept.parent / quote(f'{records._split}-{records._fields[name]}.npy', safe='')
  if file.is_file():
    return np.load(file)
  skipped = lambda *_: np.zeros(0, np.uint8)
  found = np.concatenate([records._told(rows, skipped)[name] for rows in np.array_split(np.arange(len(records)), -(-len(records) // 4096))])
  with contextlib.suppress(OSError):  # the folder is not writable: read again next time
    file.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix='.npy', delete=False) as partial:
      np.save(partial, found)
    os.replace(partial.name, file)
  return found


class Once:
  """The cached result of a function, called on first use. Another process calls it again after unpickling."""

  def __init__(self, make: Callable[[], Any]):
    self._make, self._given = make, []

  def __call__(self) -> Any:
    if not self._given:
      self._given.append(self._make())
    return self._given[0]

  def __getstate__(self) -> dict[str, Any]:
    return {'_make': self._make, '_given': []}


def prepare(make: Callable[[], Any], data_dir: Path, *, quiet: bool = False) -> Any:
  """Returns a builder whose records are on disk; writes them first if necessary.

  TFDS writes into a temporary folder and renames it, so a partial data set is never visible. A lock file also makes a second process wait for
  the first one instead of repeating the work.

  Args:
    make: () -> TFDS builder.
    data_dir: the folder of data sets.
    quiet: suppress the output of TFDS, which otherwise goes to standard error.
  Returns:
    TFDS builder.
  Raises:
    DataError: if the data set does not exist and cannot be prepared.
  """
  builder = make()
  if builder.data_path.exists():
    return builder
  try:
    with _lock(data_dir / f'.{builder.name}.lock'):
      if not builder.data_path.exists():
        _reach(builder, data_dir)
        with _aside(quiet):
          builder.download_and_prepare(file_format=FORMAT)
  except Exception as error:  # a builder may raise anything: files, network, a missing package, its own code
    # On a file system without locks, another machine may have been first.
    if not builder.data_path.exists():
      raise DataError(_advice(builder, data_dir, error)) from error
  return make()


def find(name: str, data_dir: Path) -> Any:
  """The unprepared TFDS builder with that name. Raises DataError with the closest names if there is none."""
  import tensorflow_datasets as tfds

  try:
    return tfds.builder(name, data_dir=data_dir)
  except tfds.core.DatasetNotFoundError as error:
    known = tfds.list_builders(with_community_datasets=False)
    close = difflib.get_close_matches(name.split('/')[0].split(':')[0], known, 3, cutoff=0)
    raise DataError(
      f'unknown data set {name!r}: expected a name of TensorFlow Datasets or a folder in {data_dir}; closest: {", ".join(close)}'
    ) from error
  except Exception as error:
    raise DataError(f'data set {name!r} cannot be opened in {data_dir}: {first_line(error)}') from error


def is_known(name: str, data_dir: Path) -> bool:
  """Whether TensorFlow Datasets has a data set with that name, or the folder has a prepared one."""
  base = re.split('[/:]', name)[0]
  if (data_dir / base).is_dir():
    return True
  with _aside(quiet=True):  # messages about a missing TensorFlow
    import tensorflow_datasets as tfds

    return base in tfds.list_builders(with_community_datasets=False)


def _keep(columns: Mapping[str, np.ndarray], folder: Path) -> None:
  folder.parent.mkdir(exist_ok=True)
  partial = Path(tempfile.mkdtemp(prefix='incomplete.', dir=folder.parent))
  try:
    partial.chmod(0o755)
    for name, column in columns.items():
      np.save(partial / f'{name}.npy', column)
    partial.rename(folder)
  finally:
    shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _aside(quiet: bool):
  errors = io.StringIO() if quiet else sys.stderr
  with contextlib.redirect_stdout(errors), contextlib.redirect_stderr(errors):
    yield


@contextlib.contextmanager
def _lock(path: Path):
  path.parent.mkdir(parents=True, exist_ok=True)
  with path.open('w') as file:
    with contextlib.suppress(ImportError, OSError):  # no locks available: the rename alone keeps the data consistent
      import fcntl

      fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _reach(builder: Any, data_dir: Path) -> None:
  """Raises ConnectionError immediately if no download host responds; TFDS itself would retry for minutes."""
  if urllib.request.getproxies() or builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
    return
  if any(path.is_file() for path in (data_dir / 'downloads').glob('*')):  # may be downloaded already
    return
  urls = [urlsplit(url) for url in builder.url_infos or ()]
  hosts = sorted({(url.hostname, url.port or dict(http=80).get(url.scheme, 443)) for url in urls if url.hostname})[:3]
  for host in hosts:
    with contextlib.suppress(OSError), socket.create_connection(host, timeout=5):
      return
  if hosts:
    raise ConnectionError(f'no network: cannot reach {", ".join(host for host, _ in hosts)}')


def _advice(builder: Any, data_dir: Path, error: Exception) -> str:
  todo = []
  if isinstance(error, ModuleNotFoundError) and error.name:
    todo.append(f'pip install {error.name.split(".")[0]}')
  if isinstance(error, OSError) and not isinstance(error, ConnectionError):
    todo.append('set JSSL_DATA_DIR to a writable folder')
  todo.append(f'set JSSL_DATA_DIR to a folder that holds it as {FORMAT}')
  if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
    instructions = ' '.join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
    todo.append(f'download it manually into {data_dir / "downloads" / "manual"} ({instructions})')
  if type(builder).__module__.startswith('tensorflow_datasets.'):
    todo.append(
      f'run `tfds build {builder.name} --data_dir={data_dir} --file_format={FORMAT}` with a network connection and'
      ' TensorFlow (most data sets need it for preparation, none for reading)'
    )
  return f'data set {builder.info.full_name} is not in {data_dir} and cannot be prepared: {first_line(error)}. Do one of: {"; ".join(todo)}'
