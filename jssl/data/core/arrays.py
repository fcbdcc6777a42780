"""In-memory data: stacked columns, and `Data` built from them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from jssl.data.core.order import permutation
from jssl.data.core.pictures import checked
from jssl.errors import DataError
from jssl.types import Column, Data, Examples

RESIDENT = 256 * 2**20  # bytes: a split up to this decoded size is kept in memory
_NARROW = {'int64': np.int32, 'uint64': np.uint32, 'float64': np.float32}


class Columns:
  """A split in memory: one stacked array per column. A batch is one fancy index."""

  def __init__(self, columns: Mapping[str, np.ndarray]):
    self.columns = dict(columns)

  def __len__(self) -> int:
    return len(next(iter(self.columns.values())))

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: column[index] for name, column in self.columns.items()}

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The examples `rows` [b], stacked: column -> [b ...]."""
    return {name: np.take(column, rows, axis=0) for name, column in self.columns.items()}


def stack(examples: list[Mapping[str, Any]]) -> dict[str, np.ndarray]:
  """Stacks a list of examples into columns [b ...]. Raises ValueError if the shapes of a column differ."""
  columns = {}
  for name in examples[0]:
    values = [np.asarray(example[name]) for example in examples]
    if len(shapes := {value.shape for value in values}) > 1:
      raise ValueError(f'column {name!r} has examples of shapes {sorted(shapes)[:3]}: expected one shape; pad or resize')
    columns[name] = np.stack(values)
  return columns


def resident(examples: Examples, limit: int = RESIDENT) -> Columns | None:
  """Loads the whole split into memory; None if it would take more than `limit` bytes.

  Args:
    examples: a split.
    limit: bytes.
  Returns:
    Columns, or None.
  """
  if isinstance(examples, Columns):
    return examples
  if hasattr(examples, 'decoded'):
    return examples.decoded(limit)
  n = len(examples)
  if not n or n * sum(np.asarray(value).nbytes for value in examples[0].values()) > limit:
    return None
  return Columns({name: _narrow(name, x) for name, x in stack([examples[i] for i in range(n)]).items()})


def arrays(
  *,
  test: Mapping[str, np.ndarray] | None = None,
  held_out: float = 0.0,
  seed: int = 0,
  inputs: str | None = None,
  facts: Mapping[str, Mapping[str, Any]] | None = None,
  info: Mapping[str, Any] | None = None,
  **columns: np.ndarray,
) -> Data:
  """Makes `Data` from arrays in memory, for any modality: `arrays(image=x, label=y)`, `arrays(ids=ids)`, `arrays(triple=t)`.

  64-bit columns are converted to 32 bits, the precision of JAX; integers that do not fit raise an error. A column named image, [n h w c], is
  uint8 or float in [0, 1]; 16 bits are scaled to 8.

  Args:
    test: columns of the test split.
    held_out: instead of `test`, the fraction of the examples to hold out, 0..1, drawn by `seed`. With neither, 'train' is the only split.
    seed: seed of the held-out split.
    inputs: the input column of the backbone; by default the first one.
    facts: column -> its properties, as in `Column`: dict(ids=dict(size=1000, pad=0), label=dict(classes=('cat', 'dog'))). The size of a column
      of non-negative integers defaults to their maximum plus 1.
    info: further information: name, licence, citation.
    **columns: name -> [n ...] numbers or booleans.
  Returns:
    Data.
  Raises:
    ValueError: for no columns, unequal lengths, text or objects, columns of `test` that differ from those of 'train', images whose range is
      neither that of bytes nor [0, 1], or entries outside the size of their column.
  """
  train = _checked('train', columns)
  n = len(next(iter(train.values())))
  if inputs is not None and inputs not in train:
    raise ValueError(f'inputs={inputs!r}, but the columns are {sorted(train)}: name one of them')
  if not 0 <= held_out < 1:
    raise ValueError(f'held_out={held_out}: expected a fraction of the examples, 0 <= held_out < 1')
  if test is not None and held_out:
    raise ValueError(f'got both test and held_out={held_out}: give one of them')
  splits = {'train': Columns(train)}
  if test is not None:
    splits['test'] = Columns(_checked('test', test))
    spec = {name: (x.shape[1:], x.dtype) for name, x in splits['test'].columns.items()}
    if spec != {name: (x.shape[1:], x.dtype) for name, x in train.items()}:
      raise ValueError(f'test has columns {spec}: expected the names, shapes and dtypes of the train columns')
  elif held_out:
    rows = permutation(n, seed)
    cut = round(held_out * n)
    splits = {'train': Columns(splits['train'].take(rows[cut:])), 'test': Columns(splits['train'].take(rows[:cut]))}
  info = {**(info or {}), **({'split': 'random'} if held_out else {})}
  facts = dict(facts or {})
  if 'label' in train and info.get('classes'):
    facts.setdefault('label', dict(classes=info['classes']))
  return Data(splits=splits, spec=described(splits, facts), inputs=inputs or next(iter(train)), info=info)


def described(splits: Mapping[str, Columns], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Column]:
  """The columns of 'train' with their properties, checked against the entries of every split.

  Raises:
    ValueError: for properties of a missing column, or entries outside the size of their column.
  """
  train = splits['train'].columns
  if unknown := [name for name in facts if name not in train]:
    raise ValueError(f'facts are given for {unknown[0]!r}: expected one of the columns {sorted(train)}')
  spec = {}
  for name, x in train.items():
    column = Column(x.shape[1:], x.dtype, **facts.get(name, {}))
    if x.dtype.kind in 'iu' and x.dtype != np.uint8:
      held = [split.columns[name] for split in splits.values() if name in split.columns and split.columns[name].size]
      if column.size is None and all(x.min() >= 0 for x in held):
        column = replace(column, size=1 + max(int(x.max()) for x in held))
      for split in splits.values():
        if name in split.columns:
          within(name, split.columns[name], column)
    spec[name] = column
  return spec


def within(name: str, x: np.ndarray, column: Column) -> None:
  """Checks that all entries are valid indices of a column; JAX would clip an invalid index, or count it from the end.

  Raises:
    ValueError: names the first invalid entry.
  """
  if column.size is None or x.dtype.kind not in 'iu' or not x.size:
    return
  if int(x.min()) >= 0 and int(x.max()) < column.size:
    return
  wrong = ((x < 0) | (x >= column.size)) & (True if column.pad is None else x != column.pad)
  if wrong.any():
    row = tuple(np.argwhere(wrong)[0].tolist())
    besides = '' if column.pad is None or 0 <= column.pad < column.size else f', or {column.pad} for none'
    raise ValueError(
      f'column {name!r} has {x[row]} in example {row[0] if row else 0}: expected numbers from 0 to {column.size - 1}{besides}; '
      'correct the entry, or give another size of the column'
    )


def _checked(split: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  if not columns:
    raise ValueError(f'no columns for {split!r}: give at least one, as in arrays(image=x, label=y)')
  columns = checked({name: _narrow(name, np.asarray(column)) for name, column in columns.items()})
  lengths = {name: x.shape[0] if x.ndim else None for name, x in columns.items()}
  if len(set(lengths.values())) > 1 or None in lengths.values():
    raise ValueError(f'columns of {split!r} have lengths {lengths}: expected the same first axis in each, the examples')
  return columns


def _narrow(name: str, x: np.ndarray) -> np.ndarray:
  if x.dtype.kind not in 'biufc' and x.dtype.name != 'bfloat16':
    raise ValueError(f'column {name!r} has dtype {x.dtype}: expected numbers or booleans; turn text into ids first')
  dtype = _NARROW.get(x.dtype.name)
  if dtype is None:
    return x
  if x.dtype.kind in 'iu' and x.size and (x.min() < np.iinfo(dtype).min or x.max() > np.iinfo(dtype).max):
    raise ValueError(f'column {name!r} holds integers from {x.min()} to {x.max()}: expected them to fit 32 bits')
  return x.astype(dtype)


def counted(data: Data, column: str) -> int:
  """The size of an index column by its entries in memory, if the column does not specify it; 0 if they are not in memory.

  Raises:
    DataError: if an entry is negative.
  """
  found = [split.columns[column] for split in data.splits.values() if isinstance(split, Columns) and column in split.columns]
  found = [x[x != data.spec[column].pad] for x in found if x.dtype.kind in 'iu']
  if any((x < 0).any() for x in found):
    raise DataError(f'the column {column!r} has entries below 0, which a network cannot look up: expected 0 and above, or facts with its pad')
  return max((int(x.max(initial=-1)) + 1 for x in found), default=0)
