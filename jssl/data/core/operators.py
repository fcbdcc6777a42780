"""Data sets derived from others: with fewer examples, with additional columns, with noise in one column.

In a config, an operator is a data set whose option `of` is another data set: `dict(name='subset', of=dict(name='mnist5k'), train=100,
by='label')`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from jssl.data.core.arrays import Columns, resident
from jssl.data.core.order import permutation
from jssl.types import Column, Data, Examples

ALL = 2**62  # bytes: no limit, for a split that is needed as a whole


class Beside:
  """A split with additional columns, computed from its columns on first access."""

  def __init__(self, examples: Examples, make: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]):
    self.examples, self.make, self.columns = examples, make, None

  def __len__(self) -> int:
    return len(self.examples)

  def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
    return self.decoded(ALL)[index]

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    return self.decoded(ALL).take(rows)

  def decoded(self, limit: int) -> Columns | None:
    if self.columns is None:
      held = resident(self.examples, limit)
      self.columns = held and Columns({**held.columns, **self.make(held.columns)})
    return self.columns


class Rows:
  """A subset of the examples of a split, by index."""

  def __init__(self, examples: Examples, rows: np.ndarray):
    self.examples, self.rows = examples, rows

  def __len__(self) -> int:
    return len(self.rows)

  def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
    return self.examples[int(self.rows[index])]

  @property
  def crop(self) -> Any:
    return getattr(self.examples, 'crop', None)

  def drawn(self, rows: np.ndarray, epoch: int, seed: int) -> dict[str, np.ndarray]:
    return self.examples.drawn(self.rows[rows], epoch, seed)

  def decoded(self, limit: int) -> Columns | None:
    held = resident(self.examples, ALL)
    some = Columns(held.take(self.rows))
    return some if sum(x.nbytes for x in some.columns.values()) <= limit else None


def with_columns(data: Data, make: Callable[[str, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]], spec: Mapping[str, Column]) -> Data:
  """Adds columns to a data set.

  Args:
    data: the data set.
    make: (split, columns [n ...]) -> new columns, [n ...]; called when a split is first read.
    spec: the new columns.
  """
  beside = lambda split: lambda columns: make(split, columns)
  splits = {name: Beside(split, beside(name)) for name, split in data.splits.items()}
  info = {key: x for key, x in data.info.items() if key != 'split'}  # columns computed for a split are invalid in subsets of it
  return data._replace(splits=splits, spec={**data.spec, **spec}, info=info)


def few(*, of: Data, shots: int = 10, column: str = 'label', seed: int = 0) -> Data:
  """Adds a column `few`: the class of `shots` random examples per class, and -1 for all others.

  Args:
    of: the data set.
    shots: labelled examples per class; all, if a class has fewer.
    column: integer column with the class.
    seed: seed of the draw.

  Raises:
    ValueError: if shots is below 1, or the column does not exist.
  """
  if shots < 1:
    raise ValueError(f'few(shots={shots}): label at least 1 example per class')
  _has(of, column)

  def make(split: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    labels = columns[column]
    known, order = np.full(len(labels), -1, np.int32), np.random.default_rng(seed).permutation(len(labels))
    for y in np.unique(labels):
      known[order[labels[order] == y][:shots]] = y
    return dict(few=known)

  return with_columns(of, make, dict(few=replace(of.spec[column], pad=-1)))


def subset(*, of: Data, train: int | None = None, test: int | None = None, by: str | None = None, seed: int = 0) -> Data:
  """A random subset of the examples, in their original order.

  Args:
    of: the data set.
    train, test: number of examples of the split; None for all.
    by: integer column; the numbers then apply to each of its classes.
    seed: seed of the draw.

  Returns:
    Data; `info['texts']`, if any, has the remaining texts.

  Raises:
    ValueError: for a number below 1 or above that of the examples, or a missing split or column.
  """
  splits, texts = dict(of.splits), dict(of.info.get('texts', {}))
  if by is not None:
    _has(of, by)
  for name, most in (('train', train), ('test', test)):
    if most is None:
      continue
    n = len(splits.get(name, ()))
    if not 1 <= most <= n:
      there = f'has {n} examples' if name in splits else 'does not exist'
      raise ValueError(f'subset({name}={most}): the split {name!r} {there}; give at least 1 and at most that many')
    drawn = permutation(n, seed)
    if by is None:
      rows = drawn[:most]
    else:
      classes = resident(splits[name], ALL).columns[by]
      rows = np.concatenate([drawn[classes[drawn] == c][:most] for c in np.unique(classes)])
    rows = np.sort(rows)
    splits[name] = Columns(splits[name].take(rows)) if isinstance(splits[name], Columns) else Rows(splits[name], rows)
    if name in texts:
      texts[name] = [texts[name][i] for i in rows]
  return of._replace(splits=splits, info={**of.info, **({'texts': texts} if texts else {})})


def noised(*, of: Data, rate: float, column: str = 'label', seed: int = 0) -> Data:
  """Replaces the class of a share of the training examples by another class, drawn uniformly from the others.

  Args:
    of: the data set.
    rate: probability that an entry is replaced.
    column: integer column with a known size.
    seed: seed of the draw.

  Returns:
    Data with a column `clean` that has the original entries.

  Raises:
    ValueError: if the rate is not a probability, or the column is missing or has no size.

  Reference: Zhang, Bengio, Hardt, Recht, Vinyals, ICLR 2017, arXiv:1611.03530, section 2.1 (partially corrupted labels).
  """
  size = _has(of, column).size
  if not 0 <= rate <= 1 or not size or size < 2:
    raise ValueError(f'noised(rate={rate}, column={column!r}): expected a rate in [0, 1] and a column of at least 2 classes, not {size}')

  def make(split: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    clean, rng = columns[column], np.random.default_rng(seed)
    wrong = (rng.random(clean.shape) < rate) & (split == 'train')
    return {column: np.where(wrong, (clean + rng.integers(1, size, clean.shape)) % size, clean).astype(clean.dtype), 'clean': clean}

  return with_columns(of, make, dict(clean=of.spec[column]))


def _has(data: Data, column: str) -> Column:
  if column not in data.spec:
    raise ValueError(f'the data have no column {column!r}; name one of {sorted(data.spec)}')
  return data.spec[column]
