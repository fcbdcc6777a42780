"""Data packed into shards of records of one size each, for random access: `jssl data pack SOURCE OUT`, read as packed:OUT."""

import functools
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jssl import storage
from jssl.data.core.arrays import RESIDENT, Columns, resident, stack
from jssl.data.core.pictures import first_line
from jssl.data.own.files import stamps
from jssl.errors import DataError
from jssl.storage import children, in_bucket, listed, near, put, reach, remote, text
from jssl.types import Column, Data, Judged

INDEX, VERSION = 'index.json', 1
SHARD = 256 * 2**20  # bytes of records in a shard, before they are compressed
KEPT = (
  'name',
  'classes',
  'tokenizer',
  'tokenizer_json',
  'split',
  'description',
  'licence',
  'citation',
  'homepage',
)  # of what is known of the data


class Shards:
  """A split in shards, opened at the first touch."""

  def __init__(self, paths: Sequence[str], record: np.dtype, examples: int):
    self.paths, self.record, self.examples = paths, record, examples

  def __len__(self) -> int:
    return self.examples

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: column[0] for name, column in self.take(np.array([index])).items()}

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The examples `rows` [b], stacked: column -> [b ...]."""
    try:
      found = np.frombuffer(b''.join(self._opened.__getitems__([int(row) for row in rows])), self.record)
    except Exception as error:  # of damaged files, the reader's errors are of many types
      raise DataError(f'{self.paths[0]} and the shards beside it cannot be read ({first_line(error)}); pack the data again') from error
    return {name: np.ascontiguousarray(found[name]) for name in self.record.names}

  def decoded(self, limit: int = RESIDENT) -> Columns | None:
    """The whole split in memory, or None where it takes more than `limit` bytes."""
    return Columns(self.take(np.arange(len(self)))) if len(self) * self.record.itemsize <= limit else None

  @functools.cached_property
  def _opened(self):
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    if not in_bucket(self.paths[0]):
      return ArrayRecordDataSource(self.paths)
    folder, names = storage.path(self.paths[0].rpartition('/')[0]), [shard.rpartition('/')[2] for shard in self.paths]
    here = near(folder, names)
    return ArrayRecordDataSource([str(here / name) for name in names])

  def __getstate__(self) -> dict[str, Any]:
    return {name: x for name, x in self.__dict__.items() if name != '_opened'}  # for a worker


def packed(path: str) -> Data:
  """What `jssl data pack` wrote into a folder.

  Args:
    path: of the folder.

  Raises:
    DataError: there is none, or it is not whole.
  """
  where = reach(path)
  try:
    told = json.loads(text(where / INDEX))
    spec = {name: Column(**{**x, 'dtype': np.dtype(x['dtype'])}) for name, x in told['spec'].items()}
    own = lambda x: record_of({name: Column(*facts) for name, facts in x['columns'].items()} if 'columns' in x else spec)
    records = {split: own(x) for split, x in told['splits'].items()}
    shards = {split: [where / name for name in x['shards']] for split, x in told['splits'].items()}
    seen = stamps_of(where, [where / INDEX, *(shard for some in shards.values() for shard in some)])
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise DataError(
      f'{where} holds no packed data that can be read ({first_line(error)}); write them by jssl data pack SOURCE {where}'
    ) from error
  splits = {split: Shards([str(x) for x in shards[split]], records[split], x['examples']) for split, x in told['splits'].items()}
  before = dict(carved=None, instead={'test': 'validation', 'validation': None})  # of data that were packed without it
  judged = told.get('judged', before if 'validation' in splits else None)
  return Data(splits=splits, spec=spec, inputs=told['inputs'], info={**told['info'], 'fingerprint': seen}, judged=judged and Judged(**judged))


def stamps_of(where: Path, paths: Sequence[Path]) -> dict[str, str]:
  """What tells that files have changed; of those in a bucket, before they are copied."""
  if not remote(where):
    return stamps(paths)
  found = listed(where)
  return {str(path): '-'.join(map(str, found[str(path)])) for path in sorted(paths)}


def pack(data: Data, out: str | Path) -> dict[str, int]:
  """Writes every split of a data set into shards, which `packed:OUT` reads.

  Args:
    data: in memory or not; a batch at a time is read.
    out: a folder that is not there yet, or empty.

  Returns:
    split -> examples.

  Raises:
    DataError: the folder holds something, or columns are of no fixed shape.
  """
  out = reach(out)
  if out.is_file() or children(out):
    raise DataError(f'{out} is there already; give a folder that is not')
  records = {split: columns_of(x, data.spec) for split, x in data.splits.items()}
  if not remote(out):
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
  partial = Path(tempfile.mkdtemp(prefix=f'.{out.name}.', dir=None if remote(out) else out.absolute().parent))
  try:
    splits = {}
    for split, x in data.splits.items():
      columns = {name: (column.shape, column.dtype.str) for name, column in records[split].items()}
      written = dict(examples=len(x), shards=shards(x, record_of(records[split]), partial, split))
      splits[split] = written if records[split] == data.spec else {**written, 'columns': columns}
    spec = {name: dict(shape=x.shape, dtype=x.dtype.str, **x.facts) for name, x in data.spec.items()}
    info = {key: data.info[key] for key in KEPT if key in data.info}
    index = dict(version=VERSION, splits=splits, spec=spec, inputs=data.inputs, info=info, judged=data.judged and data.judged._asdict())
    (partial / INDEX).write_text(json.dumps(index, indent=1, default=str))
    partial.chmod(0o755)
    if remote(out):
      put(partial, out, last=INDEX)
    else:
      if out.exists():
        out.rmdir()
      partial.rename(out)
  finally:
    shutil.rmtree(partial, ignore_errors=True)
  return {split: x['examples'] for split, x in splits.items()}


def shards(examples: Any, record: np.dtype, folder: Path, split: str) -> list[str]:
  """Writes the shards of a split; their names."""
  from array_record.python.array_record_module import ArrayRecordWriter

  n, read = len(examples), resident(examples) or examples
  each = max(1, SHARD // record.itemsize)
  names = [f'{split}-{i:05d}-of-{-(-n // each):05d}.array_record' for i in range(-(-n // each))]
  for i, name in enumerate(names):
    writer = ArrayRecordWriter(str(folder / name), 'group_size:1')
    for rows in np.array_split(last := np.arange(i * each, min(n, (i + 1) * each)), -(-len(last) // 256)):
      block, columns = np.zeros(len(rows), record), taken(read, rows)
      for column in record.names:
        block[column] = columns[column]
      for row in block:
        writer.write(row.tobytes())
    writer.close()
  return names


def columns_of(examples: Any, spec: Mapping[str, Column]) -> dict[str, Column]:
  """The columns of a split, as those of the data where they are called so."""
  found = {name: np.asarray(x) for name, x in examples[0].items()}
  return {name: spec[name] if name in spec else Column(x.shape, x.dtype) for name, x in found.items()}


def taken(examples: Any, rows: np.ndarray) -> Mapping[str, np.ndarray]:
  return examples.take(rows) if hasattr(examples, 'take') else stack([examples[int(row)] for row in rows])


def record_of(spec: Mapping[str, Column]) -> np.dtype:
  """The layout of one example's bytes."""
  return np.dtype([(name, x.dtype, x.shape) for name, x in spec.items()])
