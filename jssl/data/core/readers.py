"""Random access to the records of many array_record files, with a bounded number of open files."""

import collections
import functools
import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

OPEN = 256  # files; with two splits, half of the usual limit of 1,024 per process remains for other files
THREADS = 16  # files that are read concurrently


@functools.cache
def _threads() -> ThreadPoolExecutor:
  return ThreadPoolExecutor(THREADS)


class Readers:
  """Records by index, over concatenated files.

  A file is opened when it is first read, and closed after `most` other files have been read since. A reading thread takes the reader out of the
  cache, so that it is not closed while in use; up to `THREADS` more files may be open for that.

  Args:
    files: (path, first record, number of records or None for all) of each file.
    most: maximal number of files to keep open.
  """

  def __init__(self, files: Sequence[tuple[str, int, int | None]], most: int = OPEN):
    self.files, self.most = [(str(path), first, _count(path) if count is None else count) for path, first, count in files], most
    self.ends = np.array(list(itertools.accumulate(count for _, _, count in self.files)), np.int64)
    self._begin()

  def _begin(self) -> None:
    self._kept: collections.OrderedDict[int, Any] = collections.OrderedDict()  # by file, most recently used last
    self._lock = threading.Lock()

  def __len__(self) -> int:
    return int(self.ends[-1])

  def __getitem__(self, row: int) -> bytes:
    return self.__getitems__([row])[0]

  def __getitems__(self, rows: Sequence[int]) -> list[bytes]:
    """The records with these indices.

    Raises:
      IndexError: for an index out of range.
    """
    rows = np.asarray(rows, np.int64)
    if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
      raise IndexError(f'record {rows.min() if rows.min() < 0 else rows.max()} is out of range: there are {len(self)}, counted from 0')
    of = np.searchsorted(self.ends, rows, 'right')
    groups = [np.flatnonzero(of == file) for file in np.unique(of)]

    def read(at: np.ndarray) -> list[bytes]:
      path, first, count = self.files[of[at[0]]]
      return self._read(int(of[at[0]]), path, [int(row) for row in rows[at] - (self.ends[of[at[0]]] - count) + first])

    found = [read(groups[0])] if len(groups) == 1 else _threads().map(read, groups)
    records: list[bytes] = [b''] * len(rows)
    for at, some in zip(groups, found, strict=True):
      for i, record in zip(at, some, strict=True):
        records[i] = record
    return records

  def _read(self, file: int, path: str, places: list[int]) -> list[bytes]:
    with self._lock:
      reader = self._kept.pop(file, None)
    reader = reader or _reader(path)
    try:
      return reader.read(places)
    finally:
      with self._lock:
        over = [self._kept.pop(file)] if file in self._kept else []  # another thread has read it meanwhile
        self._kept[file] = reader
        over += [self._kept.popitem(last=False)[1] for _ in range(len(self._kept) - self.most)]
      for old in over:
        old.close()

  def __getstate__(self) -> dict[str, Any]:
    return {name: x for name, x in self.__dict__.items() if name not in ('_kept', '_lock')}  # for pickling to a worker

  def __setstate__(self, state: dict[str, Any]) -> None:
    self.__dict__.update(state)
    self._begin()


def _reader(path: str) -> Any:
  from array_record.python.array_record_module import ArrayRecordReader

  return ArrayRecordReader(path, options='readahead_buffer_size:0', file_reader_buffer_size=32768)


def _count(path: str) -> int:
  reader = _reader(str(path))
  try:
    return reader.num_records()
  finally:
    reader.close()
