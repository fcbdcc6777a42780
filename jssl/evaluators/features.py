"""Computation of frozen features, the first step of every protocol."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jssl.ops.rows import over_rows, take
from jssl.types import Data, Examples


class Frozen(NamedTuple):
  """The input of a protocol: features and labels of both splits, independent of the network that computed them."""

  train_x: np.ndarray  # [n d] float32
  train_y: np.ndarray  # [n] int32
  test_x: np.ndarray  # [m d] float32
  test_y: np.ndarray  # [m] int32
  classes: int


def finite(x: np.ndarray, what: str) -> np.ndarray:
  """Returns x [n ...] on the host. NaN must be refused: comparisons with it are false, which would rank it first.

  Raises:
    ValueError: if x has NaN or infinite values.
  """
  x = np.asarray(x)
  if not np.isfinite(x).all():
    bad = (~np.isfinite(x)).reshape(len(x), -1).any(1) if x.ndim else np.array([True])
    raise ValueError(
      f'{what} hold nan or inf in {bad.sum()} of {len(bad)} rows, first in row {bad.argmax()}; expected finite numbers: if training '
      'has diverged, lower the learning rate, else look for nan in the inputs'
    )
  return x


def extract(
  represent: Callable,
  examples: Examples,
  batch_size: int = 512,
  column: str = 'pooled',
  label: str | None = 'label',
  what: str | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
  """Runs `represent` over a split in batches of one shape, so that it compiles once; the last batch is padded.

  All numeric columns except the label are passed. While the device computes a batch, the host stacks the next one and fetches the previous one.
  With `over_devices`, `represent` shards a batch over the devices of this process. Each of several processes computes a share of the split and
  all get all features, so all processes must call this function.

  Args:
    represent: jitted, dict of [b ...] -> Features.
    examples: the split; its examples are dicts of arrays.
    batch_size: examples per call and process, rounded up to a multiple of the process's devices.
    column: the field of Features to keep, 'pooled' or 'tokens'; axes after the batch axis are flattened to d.
    label: the column with the label; None for a split without labels.
    what: the name of the features in error messages, 'the pooled features' by default.

  Returns:
    Features [n d], float32, and labels [n] (None without a label), both on the host.

  Raises:
    ValueError: if the split is empty, a column is missing, or features are not finite.
  """
  if len(examples) == 0:
    raise ValueError('extract was given an empty split; expected at least one example. Check how the data is split.')
  if column not in ('pooled', 'tokens'):
    raise ValueError(f"extract was given column={column!r}; expected 'pooled' or 'tokens', the fields that are [b ...].")
  first = examples[0]
  if label is not None and label not in first:
    raise ValueError(f'extract found no column {label!r} among {sorted(first)}; name the label, or pass label=None.')
  inputs = [name for name in first if name != label and np.asarray(first[name]).dtype.kind not in 'OUS']

  names = inputs if label is None else [*inputs, label]

  def run(columns):
    features = getattr(represent({name: columns[name] for name in inputs}), column)
    return features, None if label is None else columns[label]

  x, labels = over_rows(run, lambda rows: take(examples, rows, names), len(examples), batch_size)
  return finite(x.reshape(len(x), -1).astype(np.float32, copy=False), what or f'the {column} features'), labels


def frozen(represent: Callable, data: Data, *, batch_size: int = 512, column: str = 'pooled', label: str = 'label') -> Frozen:
  """Computes features and labels of the 'train' and 'test' splits, and checks that labels are integers and features finite.

  Raises:
    ValueError: if a split is missing, labels are not class indices, or features are not finite.
  """
  missing = [name for name in ('train', 'test') if name not in data.splits]
  if missing:
    raise ValueError(f"Evaluation needs the splits 'train' and 'test'; {missing} not among {sorted(data.splits)}.")
  columns = []
  for name in ('train', 'test'):
    x, y = extract(represent, data.splits[name], batch_size, column, label, f'the features of {name!r}')
    y = y.reshape(len(y)) if y.size == len(y) else y
    if y.ndim != 1 or y.dtype.kind not in 'iu' or y.min() < 0:
      raise ValueError(f'The labels of {name!r} are {y.dtype} {list(y.shape)}; expected one class index from 0 up an example.')
    columns += [x, y.astype(np.int32)]
  return Frozen(*columns, classes=int(max(columns[1].max(), columns[3].max())) + 1)


def holdout(labels: np.ndarray, fraction: float = 0.1, seed: int = 0) -> np.ndarray:
  """Selects the validation examples of train: stratified, and the same for every representation and run.

  A class with a single example keeps it for training; every other class gives at least one example to validation.

  Args:
    labels: [n], class indices.
    fraction: share of each class to hold out.
    seed: fixed by the protocols.

  Returns:
    [n] bool, True where held out.

  Raises:
    ValueError: if no class has two examples, so that none can be held out.
  """
  random = np.random.RandomState(seed)  # the legacy generator, whose stream NumPy guarantees never to change
  mask = np.zeros(len(labels), bool)
  for c in np.unique(labels):
    rows = random.permutation(np.flatnonzero(labels == c))
    mask[rows[: max(1, round(fraction * len(rows))) if len(rows) > 1 else 0]] = True
  if not mask.any():
    raise ValueError(f'holdout was given {len(labels)} labels, no two alike; expected a class with two examples or more.')
  return mask
