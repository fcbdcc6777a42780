"""Hugging Face data sets: saved in a folder, or by their name on the hub."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jssl.data.core.pictures import first_line
from jssl.data.own.files import SPLITS, stamps, with_test
from jssl.data.own.rows import Found, Options, made
from jssl.errors import DataError
from jssl.storage import in_bucket, near, reach
from jssl.types import Data


def hub(
  name: str,
  *,
  subset: str | None = None,
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
  """A data set of the package `datasets`, which only this module imports; columns are interpreted as in `table`.

  Args:
    name: a folder written by `save_to_disk`, or a name on the hub, which needs a network unless it is cached.
    subset: the configuration on the hub.
    image, text, label, resize, crop, channels, tokenizer, length, vocabulary, held_out: as in `table`.

  Returns:
    Data.

  Raises:
    DataError: if the package is not installed, or the data set cannot be read.
  """
  where, sets = place(name), opened(name, subset)
  sets = with_test({SPLITS.get(split, split): x for split, x in sets.items() if split in ('train', *SPLITS)})
  if 'train' not in sets:
    raise DataError(f'hf:{name} has no split train; give a data set with one')
  features = sets['train'].features
  classes = next((tuple(features[key].names) for key in ([label] if label in features else features) if hasattr(features[key], 'names')), None)
  found = {split: rows(x, split) for split, x in sets.items()}
  own = next((key for key in features if hasattr(features[key], 'names')), None)
  image = 'image' if image in pictured(features) else image
  given = Options(image, text, label or own, resize, channels, tokenizer, length, vocabulary, held_out, classes, crop)
  files = [path for path in sorted(where.rglob('*')) if path.is_file()] if where.is_dir() else []
  seen = stamps(files) or {split: x._fingerprint for split, x in sets.items()}
  return made(f'hf:{name}', found, given, seen)


def opened(name: str, subset: str | None = None) -> dict[str, Any]:
  """The splits of a data set in the format of the package. Raises DataError if they cannot be read."""
  try:
    import datasets
  except ImportError as error:
    raise DataError(f'hf:{name} needs the package datasets, which is not installed: pip install jssl[hf], or datasets') from error
  where = place(name)
  try:
    found = datasets.load_from_disk(str(where)) if where.is_dir() else datasets.load_dataset(name, subset)
  except Exception as error:  # files, network, and other errors
    raise DataError(f'hf:{name} cannot be read ({first_line(error)}); give a name on the hub, or a folder that save_to_disk wrote') from error
  return dict(found) if isinstance(found, datasets.DatasetDict) else {'train': found}


def place(name: str) -> Path:
  """The path of a data set, if its name is a folder."""
  return near(reach(name)) if in_bucket(name) else Path(name).expanduser()


def pictured(features: Any) -> list[str]:
  """The image columns."""
  return [key for key, x in features.items() if type(x).__name__ == 'Image']


def rows(x: Any, split: str) -> Found:
  """The rows of a split; an image column is renamed image, and images are read on access."""
  import datasets

  keys = pictured(x.features)
  read = {key: list(x[key]) for key in x.features if key not in keys}
  for key in keys:
    files = x.select_columns([key]).cast_column(key, datasets.Image(decode=False))
    read['image'] = [partial(encoded, files, key, i) for i in range(len(x))]
  return Found(read, [f'{split} {i}' for i in range(len(x))])


def encoded(files: Any, key: str, row: int) -> bytes:
  """The contents of one image file."""
  entry = files[row][key]
  if entry is None:
    return b''
  return entry['bytes'] if entry['bytes'] is not None else Path(entry['path']).read_bytes()
