"""What a model is given to encode: texts, paths and images as arrays, and the files of a command line."""

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jssl.core.build import open_data
from jssl.data.core.pictures import decode, first_line, is_picture, like, read_folder
from jssl.data.text import tokenize
from jssl.errors import ConfigError
from jssl.types import Column


def is_raw(x: Any) -> bool:
  """Whether an input is yet to be read: a text, a path or an image."""
  return isinstance(x, str | os.PathLike) or _is_image(x)


def any_raw(x: Any) -> bool:
  """Whether inputs are a sequence in which some are yet to be read."""
  return isinstance(x, list | tuple) and any(map(is_raw, x)) or isinstance(x, np.ndarray) and x.dtype.kind in 'UT' and x.ndim == 1


def is_tokens(want: Column, tokenizer: Any) -> bool:
  """Whether a column is made of texts by a tokenizer."""
  return tokenizer is not None and len(want.shape) == 1 and np.issubdtype(want.dtype, np.integer)


def made_of(name: str, given: Sequence[Any], want: Column, tokenizer: Any) -> np.ndarray:
  """A column [n ...] of texts, paths or images.

  Raises:
    ValueError: the column is made of something else, or an input cannot be read.
  """
  if is_picture(name, want.shape, want.dtype):
    return np.stack([_picture(x, want) for x in given])
  if not is_tokens(want, tokenizer):
    raise ValueError(
      f'{name!r} holds {want.dtype} {list(want.shape)}, for which the model has no tokenizer, and was given {type(given[0]).__name__}; '
      'give an array of numbers'
    )
  if wrong := [x for x in given if not isinstance(x, str)]:
    raise ValueError(f'{name!r} is made of texts, and was given {type(wrong[0]).__name__}; give str alone, or an array of ids')
  return tokenize.encode(tokenizer, [str(x) for x in given], want.length).astype(want.dtype)


def _is_image(x: Any) -> bool:
  image = sys.modules.get('PIL.Image')  # where there is an image it has been imported
  return image is not None and isinstance(x, image.Image)


def _picture(given: Any, want: Column) -> np.ndarray:
  """A path, an image or an array as a picture."""
  if not is_raw(given):
    return like('image', np.asarray(given)[None], want)[0]
  try:
    x = decode(_png(given) if _is_image(given) else Path(given).read_bytes(), want.shape)
  except Exception as error:  # decoders' errors are of many types
    what = repr(str(given)[:200]) if isinstance(given, str | os.PathLike) else f'an input, {type(given).__name__},'
    raise ValueError(f'{what} cannot be read as a picture ({first_line(error)}); the model reads paths, PIL images and arrays') from error
  return like('image', x[None], want)[0]


def _png(image: Any) -> bytes:
  """An image as a file without loss, turned as its EXIF says, so that it is read as a file is."""
  kept = {'F': 'TIFF'}.get(image.mode, 'PNG')
  if image.mode not in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I', 'I;16', 'F'):
    image = image.convert('RGB')
  file = io.BytesIO()
  image.save(file, kept, exif=image.getexif())
  return file.getvalue()


def read_inputs(where: str, model: Any) -> tuple[Any, list[str] | None]:
  """Inputs for `encode`, and the names of files, where they are files.

  Args:
    where: an .npy array, a folder of pictures, data:NAME[/SPLIT], or texts: .txt, one a line, or .jsonl, a string or an object with
      `text` in each line.
    model: the `Model` that is to encode them.
  """
  data = model.data
  if where.startswith('data:'):
    name, _, split = where[5:].partition('/')
    own = model.config['about']['data_config']
    if name != own['name']:
      data = open_data(dict(name=name))
    elif model.plan is None:
      data = open_data(own)
    split = split or 'test'
    if split not in data.splits:
      raise ConfigError(f'{name} has no split {split!r}; it has {sorted(data.splits)}')
    return [data.splits[split][i] for i in range(len(data.splits[split]))], None
  path, want = Path(where), data.spec[data.inputs]
  if not where or not path.exists():
    raise ConfigError(f'INPUT {where!r} does not exist; give an .npy file, a folder of pictures, a .txt or .jsonl of texts, or data:NAME')
  if path.suffix == '.npy' and path.is_file():
    return read_array(path), None
  if path.suffix in ('.txt', '.jsonl') and path.is_file() and model.reads_texts():
    return read_texts(path), None
  if path.is_dir():
    if not is_picture(data.inputs, want.shape, want.dtype):
      raise ConfigError(f'{where} is a folder, but the model reads {data.inputs!r} {list(want.shape)}, no pictures; give an .npy file')
    return read_folder(path, want.shape)
  kinds = 'an .npy file, a folder of pictures or data:NAME, or .txt or .jsonl where the model reads texts'
  raise ConfigError(f'INPUT must be {kinds}, not {where!r}; this model reads {data.inputs!r} {list(want.shape)}')


def read_texts(path: Path) -> list[str]:
  """The texts in a .txt or .jsonl file, one a line."""
  try:
    lines = path.read_text('utf-8').split('\n')
  except ValueError as error:
    raise ConfigError(f'{path} is not UTF-8 ({first_line(error)}); convert it') from error
  lines = lines[:-1] if not lines[-1] else lines
  if path.suffix == '.jsonl':
    lines = [_text_of(path, i, line) for i, line in enumerate(lines, 1) if line.strip()]
  if not lines:
    raise ConfigError(f'{path} holds no texts; write one a line')
  return lines


def _text_of(path: Path, i: int, line: str) -> str:
  try:
    found = json.loads(line)
  except ValueError as error:
    raise ConfigError(f'{path}: line {i} is not JSON ({error}); correct it') from error
  found = found.get('text') if isinstance(found, dict) else found
  if not isinstance(found, str):
    raise ConfigError(f'{path}: line {i} has no text; expected a string, or an object with a string under `text`')
  return found


def read_array(path: Path) -> np.ndarray:
  """The array in an .npy file; ConfigError where there is none of numbers."""
  try:
    x = np.load(path, allow_pickle=False)
  except Exception as error:  # of a file that is something else, NumPy's errors are of many types
    raise ConfigError(f'{path} cannot be read as an array of numbers ({first_line(error)}); save one by numpy.save') from error
  if not isinstance(x, np.ndarray):
    raise ConfigError(f'{path} holds several arrays, as numpy.savez writes them; save one by numpy.save')
  return x
