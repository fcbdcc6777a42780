"""Tables in files: JSON lines, CSV, TSV and Parquet with one example per row, and .smi with one molecule per line."""

import functools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl import storage
from jssl.data.core.pictures import first_line
from jssl.data.own import smiles
from jssl.data.own.files import parts, stamps
from jssl.data.own.rows import IMAGE, Found, Options, made, pictures
from jssl.errors import DataError
from jssl.storage import addresses, near, reach
from jssl.types import Data


def table(
  path: str,
  *,
  image: str | None = None,
  text: str | None = None,
  label: str | None = None,
  resize: int | tuple[int, int] | None = None,
  crop: Mapping[str, Any] | None = None,
  channels: int | None = None,
  tokenizer: str | None = None,
  length: int | None = None,
  vocabulary: int = 4096,
  held_out: float = 0.2,
) -> Data:
  """Rows of a .jsonl, .csv, .tsv, .parquet or .smi file; the role of a column follows from its name and its entries.

  image (or path, filename, ...) is an image, by its path relative to the file's folder; label (class, category, ...) is a class; text, anchor,
  query or sentence1 becomes `ids`, positive or sentence2 `positive`, negative `negative`; lists of texts in negatives, or columns negative_1,
  negative_2, ..., become `negatives`; prompt, chosen and rejected become `chosen` and `rejected`, which start after the prompt; score and other
  numeric columns or lists of numbers keep their names. smiles becomes `ids` whose tokens are atoms, bonds and rings, and the numeric columns
  become `truth`. Rows without their texts are skipped with a warning.

  Args:
    path: path of the file. PATH_test.SUFFIX next to it is the test split.
    image, text, label: names of these columns, if not standard.
    resize, crop, channels: for images, as in `folder`.
    tokenizer: 'minilm' or the path of a tokenizer.json; None to train one on the texts.
    length: tokens per text; None for a length that fits most texts, at most 128.
    vocabulary: vocabulary size of a trained tokenizer.
    held_out: share of rows in 'test', by a hash of their contents, if there is no test file.

  Returns:
    Data; inputs is image, else ids, else chosen, else vectors, else `numbers` [d] of all numbers.

  Raises:
    DataError: if a file or a named column is missing or cannot be read, or rows lack entries.
  """
  where, found, files = reach(path), {}, []
  for split, of in parts(where).items():
    found[split] = found_in(of, image)
    places = [x for column in found[split].columns.values() if pictures(column) for x in column]
    files += [of, *(x for x in places if isinstance(x, str) and os.path.isfile(x))]
  given = Options(image, text, label, resize, channels, tokenizer, length, vocabulary, held_out, crop=crop)
  return made(path, found, given, stamps(files))


def found_in(path: Path, image: str | None = None) -> Found:
  """The rows of a file, with the locations of images; names of rows are those of image files, or SMILES."""
  columns = read(path)
  names = [repr(row) for row in zip(*columns.values(), strict=True)]
  names = next(([str(x) for x in columns[name]] for name in smiles.NAMES if name in columns), names)  # duplicates go into the same split
  key = image or next((name for name in IMAGE if name in columns and pictures(columns[name])), None)
  if key in columns:
    folder = path.absolute().parent
    columns[key] = places = [located(folder, entry) for entry in columns[key]]
    if (of := addresses([folder])[0]) != str(folder):  # the table is a local copy from a bucket that also has the images
      near(storage.path(of), [os.path.relpath(x, folder) for x in places if isinstance(x, str)])
    names = [os.path.relpath(x, folder) if isinstance(x, str) else f'{path.name}, row {row}' for row, x in enumerate(places)]
  return Found(columns, names)


def located(folder: Path, entry: Any) -> Any:
  """The location of an image: in a file, or in the entry itself, as in tables of Hugging Face."""
  if isinstance(entry, Mapping):
    return entry['bytes'] if entry.get('bytes') is not None else located(folder, entry.get('path'))
  return os.path.join(folder, entry) if isinstance(entry, str) else entry


@functools.lru_cache(maxsize=4)
def _read(path: Path, _stamp: str) -> dict[str, list]:
  try:
    if path.suffix == '.parquet':
      import pyarrow.parquet as pq

      found = pq.read_table(path)
    elif path.suffix in ('.csv', '.tsv'):
      import pyarrow.csv as pc

      parse = pc.ParseOptions(newlines_in_values=True, delimiter='\t' if path.suffix == '.tsv' else ',')
      found = pc.read_csv(path, parse_options=parse, convert_options=pc.ConvertOptions(strings_can_be_null=True))
    else:
      import pyarrow.json as pj

      found = pj.read_json(path)
  except ImportError as error:
    raise DataError(f'{path} needs pyarrow, which is not installed: pip install pyarrow') from error
  except Exception as error:  # for damaged files, pyarrow raises errors of many types
    raise DataError(f'{path} cannot be read ({first_line(error)}); expected a table with one row per example') from error
  if twice := [name for name in found.column_names if found.column_names.count(name) > 1]:
    raise DataError(f'{path} has two columns {twice[0]!r}; rename one of them')
  return {name: found[name].to_pylist() for name in found.column_names}


def read(path: Path) -> dict[str, list]:
  """The columns of a file. Raises DataError if it cannot be read or has no rows."""
  if path.suffix == '.smi':
    return dict(smiles=smiles.read(path)[0])
  columns = dict(_read(path, next(iter(stamps([path]).values()))))
  if not columns or not len(next(iter(columns.values()))):
    raise DataError(f'{path} has no rows; expected a table with one row per example')
  if empty := [name for name, x in columns.items() if all(entry is None for entry in x)]:
    logging.getLogger('jssl').warning('%s: the columns %s are empty and ignored', path, ', '.join(empty))
  return {name: x for name, x in columns.items() if name not in empty}
