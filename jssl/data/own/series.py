"""Time series in files: one file per series, one long table, .ts files, or arrays."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jssl.data.core.arrays import Columns, described
from jssl.data.core.pictures import first_line
from jssl.data.own import arrays, tables
from jssl.data.own.files import parts, stamps
from jssl.data.own.folder import listed
from jssl.data.own.rows import LABEL, Found, divided, labels, numeric
from jssl.errors import DataError
from jssl.storage import reach
from jssl.types import Data, Judged

SERIES = ('series', 'series_id', 'id', 'unit', 'case')  # the series that a row of a long table belongs to
TIME = ('time', 'timestamp', 'date', 'datetime', 't', 'step')
MOST = 2**28  # numbers in all series after padding to one length
STANDARDIZE = ('series', 'train', 'none')


class Read(NamedTuple):
  """The series of one split as read from files."""

  series: list[np.ndarray]  # [t c] each
  names: list[str]
  labels: list[Any] | None
  variables: tuple[str, ...] | None  # their names, if any
  files: list[Path]


def series(
  path: str, *, length: int | None = None, standardize: str = 'series', id: str | None = None, time: str | None = None, held_out: float = 0.2
) -> Data:
  """Series with the same number of variables, padded with zeros at the end; networks for series ignore the padding.

  Args:
    path: a folder of .csv or .tsv files, one per series with a row per step, flat or in one folder per class; a .csv, .tsv, .jsonl or .parquet
      table of many series, whose columns `id` and `time` give the series and the step of a row; a .ts file; or an .npy or .npz file, [n t] or
      [n t c]. Folders `train` and `test` in it, or PATH_test (PATH_TEST) next to it, are the splits.
    length: t, steps; longer series are truncated. None for the longest.
    standardize: 'series' gives each variable of each series mean 0 and variance 1; 'train' does so over all steps of 'train'; 'none' does not
      change them.
    id, time: columns of a long table, if not named series, series_id or id, and time, timestamp or date. Without a time column, rows are in
      order.
    held_out: share of series in 'test', by a hash of their names, or of their contents if they have no name.

  Returns:
    Data with series [t c] float32, and label if there are classes.

  Raises:
    DataError: if nothing is found, entries are missing or not numeric, or variables differ between series.
  """
  source, where = f'series:{path}', reach(path)
  if standardize not in STANDARDIZE:
    raise DataError(f'standardize={standardize!r}; expected one of {", ".join(STANDARDIZE)}')
  found: dict[str, Read] = {}
  for split, of in parts(where).items():
    found = {**read(of, split, id=id, time=time), **found}
  train = found['train']
  for split, part in found.items():
    width = part.series[0].shape[1]
    if part.variables != train.variables or width != train.series[0].shape[1]:
      told = lambda of: ', '.join(of.variables) if of.variables else f'{of.series[0].shape[1]} of them'
      raise DataError(f'{source}: the series of {split!r} have the variables {told(part)}; expected those of train, {told(train)}')
    if other := next((name for name, x in zip(part.names, part.series, strict=True) if x.shape[1] != width), None):
      raise DataError(f'{source}: the series {other!r} of {split!r} has another number of variables than the first, which has {width}')
  rows = {
    split: Found(dict(series=part.series, **({'label': part.labels} if part.labels else {})), part.names) for split, part in found.items()
  }
  info = dict(name=source, fingerprint=stamps(file for part in found.values() for file in part.files))
  if 'test' not in rows:
    rows, info['split'] = divided(rows['train'], held_out), 'random'
  lengths = {len(x) for part in rows.values() for x in part.columns['series']}
  if length is None and len(lengths) > 1:
    logging.getLogger('jssl').warning(
      '%s: series have %d to %d steps; all are padded with zeros to the longest; length=N pads or cuts to N',
      source,
      min(lengths),
      max(lengths),
    )
  length = length or max(lengths)
  if (size := length * train.series[0].shape[1] * sum(len(part.names) for part in rows.values())) > MOST:
    raise DataError(f'{source}: series padded to {length} steps take {size} numbers; shorten them with length=N')
  steps = np.concatenate(rows['train'].columns['series'])
  whole = (steps.mean(0), steps.std(0)) if standardize == 'train' else None
  columns = {split: {'series': padded(part.columns['series'], length, standardize, whole)} for split, part in rows.items()}
  if not any(x['series'].any() for x in columns.values()):
    raise DataError(f'{source}: all variables are constant in all series; expected at least one that varies')
  facts = {}
  if 'label' in rows['train'].columns and (classes := labels(source, rows, 'label', None, columns)):
    short = any((x['label'] < 0).any() for x in columns.values())
    facts['label'], info['classes'] = dict(classes=classes, **(dict(pad=-1) if short else {})), classes
  splits = {split: Columns(x) for split, x in columns.items()}
  judged = Judged(carved=None, instead={'test': 'validation', 'validation': None}) if 'validation' in splits else None
  return Data(splits=splits, spec=described(splits, facts), inputs='series', info=info, judged=judged)


def read(path: Path, split: str = 'train', *, id: str | None = None, time: str | None = None) -> dict[str, Read]:
  """Reads the series at a path by split; also 'test', if arrays have names that end in _test."""
  if path.is_dir():
    return {split: of_folder(path)}
  if path.suffix == '.ts':
    return {split: of_ts(path)}
  if path.suffix in ('.npy', '.npz'):
    return of_arrays(path, split)
  if path.suffix in ('.csv', '.tsv', '.jsonl', '.parquet'):
    return {split: of_table(path, id, time)}
  raise DataError(f'{path} must be a folder, or end in .csv, .tsv, .jsonl, .parquet, .ts, .npy or .npz')


def of_folder(path: Path) -> Read:
  """Reads one file per series; subfolders, if any, are the classes."""
  names = [name for name in listed(path) if name.endswith(('.csv', '.tsv'))]
  if not names:
    raise DataError(f'{path} contains no .csv or .tsv files; expected one per series, with a row per step')
  found = [of_file(path / name) for name in names]
  classes = [Path(name).parts[0] if len(Path(name).parts) > 1 else None for name in names]
  variables = found[0][1]
  if other := next((i for i, (_, own) in enumerate(found) if own != variables), None):
    told = lambda own: ', '.join(own or ['columns without names'])
    raise DataError(f'{path / names[other]} has {told(found[other][1])}; expected the columns of {names[0]}, {told(variables)}')
  return Read([x for x, _ in found], names, classes if any(classes) else None, variables, [path / name for name in names])


def of_file(path: Path) -> tuple[np.ndarray, tuple[str, ...] | None]:
  """Reads one series [t c] and the names of its columns; rows are sorted by a time column, if there is one."""
  apart = '\t' if path.suffix == '.tsv' else ','
  try:
    with path.open(encoding='utf-8') as file:
      bare = all(map(number, file.readline().strip().split(apart)))
    if bare:
      return finite(path, np.loadtxt(path, delimiter=apart, ndmin=2)), None
  except (OSError, ValueError) as error:
    raise DataError(f'{path} cannot be read as numbers ({first_line(error)}); expected one row per step') from error
  columns = tables.read(path)
  order = by_time(columns, next((name for name in TIME if name in columns), None))
  names = [name for name in columns if name not in TIME]
  return finite(path, stacked(path, columns, names)[order]), tuple(names)


def of_table(path: Path, id: str | None, time: str | None) -> Read:
  """Reads the series of a long table with one row per step."""
  columns = tables.read(path)
  for option, name in dict(id=id, time=time).items():
    if name is not None and name not in columns:
      raise DataError(f'{path} has no column {name!r} ({option}={name!r}); it has {sorted(columns)}')
  id, time = id or next((x for x in SERIES if x in columns), None), time or next((x for x in TIME if x in columns), None)
  if id is None:
    raise DataError(
      f'{path} has no column that identifies the series of a row, {" or ".join(SERIES[:3])}; name it with id=; it has {sorted(columns)}'
    )
  if None in columns[id]:
    raise DataError(f'{path}: row {columns[id].index(None)}, counted from 0, has no {id!r}; fill it in, or remove the row')
  label = next((name for name in LABEL if name in columns and name not in (id, time)), None)
  names = [name for name in columns if name not in (id, time, label)]
  x, order, rows = finite(path, stacked(path, columns, names)), by_time(columns, time), {}
  for i in order:
    rows.setdefault(str(columns[id][i]), []).append(i)
  given = [{columns[label][i] for i in at} for at in rows.values()] if label else None
  if given and (mixed := next((name for name, some in zip(rows, given, strict=True) if len(some) > 1), None)) is not None:
    raise DataError(f'{path}: the rows of the series {mixed!r} have several entries in {label!r}; expected one per series')
  return Read([x[at] for at in rows.values()], [*rows], given and [some.pop() for some in given], tuple(names), [path])


def of_ts(path: Path) -> Read:
  """Reads a .ts file: one series per line, variables separated by colons, the class last if the header has classes."""
  try:
    header, data, body = path.read_text('utf-8').partition('@data')
  except (OSError, ValueError) as error:
    raise DataError(f'{path} cannot be read as text ({first_line(error)}); expected a .ts file') from error
  lines = [line.strip() for line in body.splitlines() if line.strip()]
  if not data or not lines:
    raise DataError(f'{path} has no series; expected a header, @data, and one series per line')
  classes = any(line.lower().split()[:2] == ['@classlabel', 'true'] for line in header.splitlines() if line.strip())
  found, given = [], []
  for i, line in enumerate(lines):
    *variables, last = line.split(':')
    variables, label = (variables, last) if classes else ([*variables, last], None)
    try:
      numbers = [[float(x) for x in variable.split(',')] for variable in variables]
    except ValueError as error:
      raise DataError(f'{path}: series {i}, counted from 0, has an entry that is not a number ({first_line(error)}); fill it in') from error
    if len({*map(len, numbers)}) != 1:
      raise DataError(
        f'{path}: the variables of series {i}, counted from 0, have {sorted({*map(len, numbers)})} steps; expected the same number of each'
      )
    found.append(finite(f'{path}, series {i}', np.array(numbers).T))
    given.append(label)
  return Read(found, [x.tobytes() for x in found], given if classes else None, None, [path])


def of_arrays(path: Path, split: str) -> dict[str, Read]:
  """Reads [n t] or [n t c] from an .npy or .npz file, with labels, if any."""
  found: dict[str, dict[str, np.ndarray]] = {}
  for name, x in arrays.opened(path).items():
    own, part = (name.removesuffix(arrays.SUFFIX), 'test') if name.endswith(arrays.SUFFIX) else (name, split)
    found.setdefault(part, {})[own] = x
  read = {}
  for part, columns in found.items():
    of = next((name for name in ('series', 'x', 'X', *columns) if name in columns and columns[name].ndim in (2, 3)), None)
    if of is None or columns[of].dtype.kind not in 'iuf' or not columns[of].size:
      shapes = {name: list(x.shape) for name, x in columns.items()}
      raise DataError(f'{path} holds {shapes}; expected numbers [n, t] or [n, t, c], called series or x')
    x = finite(path, columns[of] if columns[of].ndim == 3 else columns[of][..., None])
    given = next((columns[name] for name in arrays.LABELS if name in columns), None)
    if given is not None and given.shape != (len(x),):
      raise DataError(f'{path}: labels have shape {list(given.shape)}; expected one for each of {len(x)} series')
    read[part] = Read([*x], [np.ascontiguousarray(one).tobytes() for one in x], given if given is None else given.tolist(), None, [path])
  return read


def stacked(path: Path, columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> np.ndarray:
  """Numeric columns as [t c]."""
  if not names:
    raise DataError(f'{path} has no columns of values; expected one per variable')
  for name in names:
    if (row := next((i for i, x in enumerate(columns[name]) if x is None), None)) is not None:
      raise DataError(f'{path}: row {row}, counted from 0, has no {name!r}; fill it in, or remove the row')
    if not numeric(columns[name]):
      raise DataError(f'{path}: the column {name!r} has entries such as {columns[name][0]!r}; expected numbers: remove it')
  return np.array([columns[name] for name in names], np.float64).T


def by_time(columns: Mapping[str, Sequence[Any]], time: str | None) -> list[int]:
  """Sorts rows by time."""
  rows = range(len(next(iter(columns.values()))))
  if time is None:
    return [*rows]
  if None in columns[time]:
    raise DataError(f'row {columns[time].index(None)}, counted from 0, has no {time!r}; fill it in, or remove the row')
  return sorted(rows, key=columns[time].__getitem__)


def finite(where: Any, x: np.ndarray) -> np.ndarray:
  """Returns x; raises DataError if an entry is not a finite number."""
  if not np.isfinite(x).all():
    at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
    raise DataError(f'{where} has {x[at]} at {list(at)}, counted from 0; expected finite numbers: fill it in')
  return x


def number(text: str) -> bool:
  try:
    float(text)
  except ValueError:
    return False
  return True


def padded(
  series: Sequence[np.ndarray], length: int, standardize: str = 'none', whole: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
  """[n t c] float32: series truncated or padded with zeros to one length.

  Args:
    series: [t c] each.
    length: the common length.
    standardize: as in `series`.
    whole: mean and deviation of the variables of 'train', for standardize='train'.
  """
  found = np.zeros((len(series), length, series[0].shape[1]), np.float32)
  for row, x in zip(found, series, strict=True):
    mean, std = whole or ((x.mean(0), x.std(0)) if standardize == 'series' else (0.0, 1.0))
    x = ((x - mean) / np.where(np.asarray(std) > 1e-12, std, 1.0))[:length]
    row[: len(x)] = x
  return found
