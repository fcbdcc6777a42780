"""Data sets of some classes of others, such as ImageNet-100."""

import difflib
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from jssl.data.core.arrays import Columns, resident
from jssl.data.core.operators import ALL, Rows
from jssl.data.core.records import Records, column_of
from jssl.errors import DataError
from jssl.storage import reach
from jssl.types import Data, Examples


class Chosen(Rows):
  """The examples of some classes, numbered anew; which rows they are is read on first access."""

  def __init__(self, examples: Examples, column: str, number: np.ndarray):
    self.examples, self.column, self.number = examples, column, number  # [classes], -1 for those that are left out

  @functools.cached_property
  def rows(self) -> np.ndarray:
    of = self.examples
    labels = column_of(of, self.column) if isinstance(of, Records) else resident(of, ALL).columns[self.column]
    return np.flatnonzero(self.number[labels] >= 0)

  def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
    return self._told(super().__getitem__(index))

  def drawn(self, rows: np.ndarray, epoch: int, seed: int) -> dict[str, np.ndarray]:
    return self._told(super().drawn(rows, epoch, seed))

  def decoded(self, limit: int) -> Columns | None:
    if len(self) and len(self) * sum(np.asarray(x).nbytes for x in self[0].values()) > limit:
      return None  # before all of a set that may be too large is decoded
    held = super().decoded(limit)
    return held and Columns(self._told(held.columns))

  def _told(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**columns, self.column: self.number[columns[self.column]]}


def some_classes(*, of: Data, names: str | os.PathLike | Sequence[str], column: str = 'label') -> Data:
  """The examples of some classes, such as the 100 of ImageNet-100, which are numbered from 0 in the order of the data set.

  Labels are read without decoding images, once for each split, and kept next to the data where they have a folder.

  Args:
    of: the data set.
    names: the classes, or a file of them, separated by spaces or lines.
    column: integer column with the names of its classes.

  Raises:
    DataError: if the column has no class of a name, or no file is there.

  Reference: ImageNet-100: Tian, Krishnan, Isola, ECCV 2020, arXiv:1906.05849, appendix; imagenet100.txt of the official code.
  """
  known = of.spec[column].classes if column in of.spec else ()
  if isinstance(names, str | os.PathLike):
    where = reach(names)
    if not where.is_file():
      raise DataError(f'some_classes(names={str(names)!r}): there is no such file; give one with the names of classes, or a tuple of names')
    names = where.read_text().split()
  if wrong := [name for name in names if name not in known]:
    near = difflib.get_close_matches(wrong[0], known, 3, 0)
    raise DataError(f'some_classes: the column {column!r} has no class {wrong[0]!r}; name one of its classes, such as {", ".join(near)}')
  if not names:
    raise DataError('some_classes: no names of classes are given; name at least one')
  chosen = [name for name in known if name in {*names}]
  number = np.full(len(known), -1, np.int32)
  number[[known.index(name) for name in chosen]] = np.arange(len(chosen))
  splits = {name: Chosen(examples, column, number) for name, examples in of.splits.items()}
  spec = {**of.spec, column: replace(of.spec[column], size=len(chosen), classes=tuple(chosen))}
  return of._replace(splits=splits, spec=spec, info={**of.info, 'classes': tuple(chosen)})
