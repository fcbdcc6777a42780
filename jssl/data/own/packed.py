"""Data packed into shards of fixed-size records, for random access: `jssl data pack SOURCE OUT`, read as packed:OUT."""

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
from jssl.data.core.crops import Crops, crops_of
from jssl.data.core.pictures import first_line
from jssl.data.core.readers import Readers
from jssl.data.own.files import content, stamps
from jssl.data.own.pictures import Pictures
from jssl.errors import DataError
from jssl.storage import children, in_bucket, listed, near, put, reach, remote, text
from jssl.types import Column, Data, Judged

INDEX, VERSION = 'index.json', 1
SHARD = 256 * 2**20  # bytes of records per shard, before compression
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
)  # of the properties of the data


class Shards:
  """A split in shards, opened on first access."""

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
    except Exception as error:  # for damaged files, the reader raises errors of many types
      raise DataError(f'{self.paths[0]} and the shards next to it cannot be read ({first_line(error)}); pack the data again') from error
    return {name: np.ascontiguousarray(found[name]) for name in self.record.names}

  def decoded(self, limit: int = RESIDENT) -> Columns | None:
    """Loads the whole split into memory; None if it takes more than `limit` bytes."""
    return Columns(self.take(np.arange(len(self)))) if len(self) * self.record.itemsize <= limit else None

  @functools.cached_property
  def _opened(self) -> Readers:
    return Readers([(path, 0, None) for path in _here(self.paths)])

  def __getstate__(self) -> dict[str, Any]:
    return {name: x for name, x in self.__dict__.items() if name != '_opened'}  # for pickling to a worker


class Names:
  """Names of the images of a packed split, for messages."""

  def __init__(self, split: str):
    self.split = split

  def __getitem__(self, row: int) -> str:
    return f'record {row} of {self.split}'


def packed(path: str, *, crop: Mapping[str, Any] | None = None) -> Data:
  """Opens a folder written by `jssl data pack`.

  Args:
    path: path of the folder.
    crop: as in `folder`, for data that were packed with a crop, that is, with their stored images; None for that crop.

  Raises:
    DataError: if there is no such folder, it is incomplete, or its images are not packed as stored.
  """
  where = reach(path)
  try:
    told = json.loads(text(where / INDEX))
    spec = {name: Column(**{**x, 'dtype': np.dtype(x['dtype'])}) for name, x in told['spec'].items()}
    shards = {split: [str(where / name) for name in x['shards']] for split, x in told['splits'].items()}
    seen = stamps_of(where, [where / INDEX, *(shard for some in shards.values() for shard in some)])
    crops, info = None, {**told['info'], 'fingerprint': seen}
    if 'crop' in told:
      crops = crops_of(crop or told['crop'], spec['image'].shape[:2])
      info |= {'unread': {}, 'drawn': {'image': (len(crops.recipes), *crops.size, spec['image'].shape[-1])}}
    splits = {split: _split(where, split, x, shards[split], spec, crops, info.get('unread')) for split, x in told['splits'].items()}
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise DataError(f'{where} contains no readable packed data ({first_line(error)}); write them with jssl data pack SOURCE {where}') from error
  if crop is not None and crops is None:
    raise DataError(f'{where} contains images that are already scaled and cropped; pack the data with crop, or remove crop')
  before = dict(carved=None, instead={'test': 'validation', 'validation': None})  # for data packed without these entries
  judged = told.get('judged', before if 'validation' in splits else None)
  return Data(splits=splits, spec=spec, inputs=told['inputs'], info=info, judged=judged and Judged(**judged))


def _split(where: Path, split: str, told: Mapping[str, Any], paths: Sequence[str], spec, crops: Crops | None, unread) -> Shards | Pictures:
  """A split of an index: of fixed-size records, or of stored images."""
  if told.get('stored'):
    with np.load(_here([str(where / told['stored'])])[0], allow_pickle=False) as columns:
      others = {name: columns[name] for name in columns.files}
    readers = Readers([(path, 0, None) for path in _here(paths)])
    return Pictures(readers, Names(split), others, spec['image'].shape, unread, crops if split == 'train' else None)
  columns = {name: Column(*facts) for name, facts in told['columns'].items()} if 'columns' in told else spec
  return Shards(paths, record_of(columns), told['examples'])


def _here(paths: Sequence[str]) -> list[str]:
  """Local paths of files; files in a bucket are copied."""
  if not in_bucket(paths[0]):
    return list(paths)
  folder, names = storage.path(paths[0].rpartition('/')[0]), [path.rpartition('/')[2] for path in paths]
  copies = near(folder, names)
  return [str(copies / name) for name in names]


def stamps_of(where: Path, paths: Sequence[Path]) -> dict[str, str]:
  """Stamps that detect changed files; for files in a bucket, before they are copied."""
  if not remote(where):
    return stamps(paths)
  found = listed(where)
  return {str(path): '-'.join(map(str, found[str(path)])) for path in sorted(map(str, paths))}


def pack(data: Data, out: str | Path) -> dict[str, int]:
  """Writes every split of a data set into shards, to be read as `packed:OUT`.

  Image files are packed as stored if the data are opened with `crop`; otherwise they are resized and cropped first.

  Args:
    data: any data; read one batch at a time.
    out: a new or empty folder.

  Returns:
    split -> number of examples.

  Raises:
    DataError: if the folder is not empty, or a column has no fixed shape.
  """
  out = reach(out)
  if out.is_file() or children(out):
    raise DataError(f'{out} already exists; give a new folder')
  crop = getattr(data.splits['train'], 'crop', None) if all(isinstance(x, Pictures) for x in data.splits.values()) else None
  records = {} if crop else {split: columns_of(x, data.spec) for split, x in data.splits.items()}
  if not remote(out):
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
  partial = Path(tempfile.mkdtemp(prefix=f'.{out.name}.', dir=None if remote(out) else out.absolute().parent))
  try:
    splits = {}
    for split, x in data.splits.items():
      if crop:
        splits[split] = stored(x, partial, split)
        continue
      columns = {name: (column.shape, column.dtype.str) for name, column in records[split].items()}
      written = dict(examples=len(x), shards=shards(x, record_of(records[split]), partial, split))
      splits[split] = written if records[split] == data.spec else {**written, 'columns': columns}
    spec = {name: dict(shape=x.shape, dtype=x.dtype.str, **x.facts) for name, x in data.spec.items()}
    info = {key: data.info[key] for key in KEPT if key in data.info}
    index = dict(version=VERSION, splits=splits, spec=spec, inputs=data.inputs, info=info, judged=data.judged and data.judged._asdict())
    index |= {'crop': dict(views=[recipe._asdict() for recipe in crop.recipes], size=crop.size)} if crop else {}
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


def stored(examples: Pictures, folder: Path, split: str) -> dict[str, Any]:
  """Writes the stored images of a split, and its other columns next to them. Returns its index entry."""
  from array_record.python.array_record_module import ArrayRecordWriter

  names, writer, size = [], None, 0
  for place in examples.places:
    if writer is None or size >= SHARD:
      if writer is not None:
        writer.close()
      names, size = [*names, f'{split}-{len(names):05d}.array_record'], 0
      writer = ArrayRecordWriter(str(folder / names[-1]), 'group_size:1')
    writer.write(data := content(place))
    size += len(data)
  writer.close()
  np.savez(folder / f'{split}.npz', **examples.columns)
  return dict(examples=len(examples), shards=names, stored=f'{split}.npz')


def shards(examples: Any, record: np.dtype, folder: Path, split: str) -> list[str]:
  """Writes the shards of a split. Returns their names."""
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
  """The columns of a split, with properties from the data's columns of the same name."""
  found = {name: np.asarray(x) for name, x in examples[0].items()}
  return {name: spec[name] if name in spec else Column(x.shape, x.dtype) for name, x in found.items()}


def taken(examples: Any, rows: np.ndarray) -> Mapping[str, np.ndarray]:
  return examples.take(rows) if hasattr(examples, 'take') else stack([examples[int(row)] for row in rows])


def record_of(spec: Mapping[str, Column]) -> np.dtype:
  """The byte layout of one example."""
  return np.dtype([(name, x.dtype, x.shape) for name, x in spec.items()])
