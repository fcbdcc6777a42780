"""Inputs of models for encoding: texts, paths and images as arrays, and files given on the command line."""

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jssl.arguments import SOURCES
from jssl.core.build import open_data
from jssl.data.core.pictures import decode, first_line, is_picture, like, read_folder
from jssl.data.own import arrays, graph, hub, series, smiles, tables, tars
from jssl.data.own.files import content
from jssl.data.own.rows import ANSWERS, IMAGE, LABEL, TEXTS, Found, labelling, numeric, pictures, textual, vector
from jssl.data.text import tokenize
from jssl.errors import ConfigError
from jssl.storage import in_bucket, near, reach
from jssl.tables import DATA
from jssl.types import Column


def is_raw(x: Any) -> bool:
  """Whether an input is not an array yet: a text, a path or an image."""
  return isinstance(x, str | os.PathLike) or _is_image(x)


def any_raw(x: Any) -> bool:
  """Whether inputs are a sequence with some that are not arrays yet."""
  return isinstance(x, list | tuple) and any(map(is_raw, x)) or isinstance(x, np.ndarray) and x.dtype.kind in 'UT' and x.ndim == 1


def is_tokens(want: Column, tokenizer: Any) -> bool:
  """Whether a column consists of texts encoded by a tokenizer."""
  return tokenizer is not None and len(want.shape) == 1 and np.issubdtype(want.dtype, np.integer)


def made_of(name: str, given: Sequence[Any], want: Column, tokenizer: Any) -> np.ndarray:
  """Makes a column [n ...] from texts, paths or images.

  Raises:
    ValueError: if the column has another type, or an input cannot be read.
  """
  if is_picture(name, want.shape, want.dtype):
    return np.stack([_picture(x, want) for x in given])
  if not is_tokens(want, tokenizer):
    raise ValueError(
      f'{name!r} must be {want.dtype} {list(want.shape)}, because the model has no tokenizer, not {type(given[0]).__name__}; '
      'give an array of numbers'
    )
  if wrong := [x for x in given if not isinstance(x, str)]:
    raise ValueError(f'{name!r} must be texts, not {type(wrong[0]).__name__}; give only strings, or an array of ids')
  return tokenize.encode(tokenizer, [str(x) for x in given], want.length).astype(want.dtype)


def _is_image(x: Any) -> bool:
  image = sys.modules.get('PIL.Image')  # where there is an image it has been imported
  return image is not None and isinstance(x, image.Image)


def _picture(given: Any, want: Column) -> np.ndarray:
  """Converts a path, an image or an array to an image array."""
  if not is_raw(given):
    return like('image', np.asarray(given)[None], want)[0]
  try:
    x = decode(encoded(given) if _is_image(given) else reach(given, home=False).read_bytes(), want.shape)
  except Exception as error:  # decoders' errors are of many types
    what = repr(str(given)[:200]) if isinstance(given, str | os.PathLike) else f'an input, {type(given).__name__},'
    raise ValueError(f'{what} cannot be read as a picture ({first_line(error)}); the model reads paths, PIL images and arrays') from error
  return like('image', x[None], want)[0]


def encoded(image: Any) -> bytes:
  """Encodes an image, or an array of one, losslessly as a file, rotated by its EXIF orientation, so that it is read like a file."""
  if not _is_image(image):
    from PIL import Image

    image = Image.fromarray(np.asarray(image))
  kept = {'F': 'TIFF'}.get(image.mode, 'PNG')
  if image.mode not in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I', 'I;16', 'F'):
    image = image.convert('RGB')
  file = io.BytesIO()
  image.save(file, kept, exif=image.getexif())
  return file.getvalue()


def read_inputs(where: str, model: Any) -> tuple[Any, list[str] | None]:
  """Reads inputs for `encode`, and names of the rows, if they have any.

  Args:
    where: any SOURCE of `--data`, with the rows of all splits; a data set, data:NAME[/SPLIT], with one split, by default 'test'; a folder of
      images; a .txt file with one text per line.
    model: the `Model` to encode them with.

  Raises:
    ConfigError, DataError: if nothing is found, or the model reads other inputs.
  """
  data = model.data
  path, want = near(reach(where)) if in_bucket(where) else Path(where), data.spec[data.inputs]
  if where.startswith('data:') or not path.exists() and (of_set(where) or where.startswith(('tfds:', 'packed:'))):
    return of_split(where.removeprefix('data:'), model), None
  if (place := DATA.place(where)) and ':' in where and not path.exists():
    return of_source(*place, model)
  if not where or not path.exists():
    raise ConfigError(f'INPUT {where!r} does not exist; give a file, a folder of pictures, or one of {SOURCES}')
  if path.suffix == '.npy' and path.is_file():
    return read_array(path), None
  if path.is_file() and model.reads_texts() and (path.suffix == '.txt' or path.suffix == '.jsonl' and plain_texts(path)):
    return read_texts(path), None
  if path.is_dir():
    return of_source('folder', where, model)
  if place:
    return of_source(*place, model)
  raise ConfigError(
    f'INPUT must be a folder of pictures, a .txt of texts if the model reads texts, or one of {SOURCES}, not {where!r}; '
    f'this model reads {data.inputs!r} {list(want.shape)}'
  )


def of_set(where: str) -> bool:
  """Whether a text is the name of a data set, optionally followed by a slash and a split."""
  return where.partition('/')[0] in DATA.entries


def of_split(where: str, model: Any) -> dict[str, np.ndarray]:
  """The columns of a split of a data set, NAME[/SPLIT], that the model uses; its training data set has the options used in training."""
  own = model.config['about']['data_config']
  name, _, split = where.rpartition('/') if ':' in where else where.partition('/')
  if ':' in where and (not name or Path(where.partition(':')[2]).exists()):
    name, split = where, ''
  name = DATA.absolute(name)
  if name != own['name']:
    data = open_data(dict(name=name))
  else:
    data = model.data if model.plan is not None else open_data(own)
  split = split or 'test'
  if split not in data.splits:
    raise ConfigError(f'{name} has no split {split!r}; it has {sorted(data.splits)}')
  examples = [data.splits[split][i] for i in range(len(data.splits[split]))]
  alike = lambda name: name == model.data.inputs or name in model.data.spec and np.shape(examples[0][name]) == model.data.spec[name].shape
  return {name: np.stack([x[name] for x in examples]) for name in examples[0] if alike(name)}


def of_source(kind: str, where: str, model: Any) -> tuple[Any, list[str] | None]:
  """All rows of user data, by their scheme or file suffix.

  Raises:
    ConfigError, DataError: if they cannot be read, or the model reads other inputs.
  """
  data, path = model.data, near(reach(where)) if in_bucket(where) and kind not in ('tar', 'hf') else Path(where).expanduser()
  want, own = data.spec[data.inputs], model.config['about']['data_config']
  options = {key: x for key, x in own.items() if key not in ('name', 'held_out')} if DATA.place(own['name']) else {}
  if kind == 'folder':
    if not is_picture(data.inputs, want.shape, want.dtype):
      raise ConfigError(f'{where} is a folder, but the model reads {data.inputs!r} {list(want.shape)}, not pictures; give an .npy file')
    return read_folder(path, want.shape)
  if kind in ('series', '.ts'):
    expected(where, model, 'series')
    found = [part for part in series.read(path, **{key: options[key] for key in ('id', 'time') if key in options}).values()]
    if options.get('standardize') == 'train':
      raise ConfigError(f'{where}: the model was trained on series standardised by statistics that it does not contain; give an .npy array')
    rows, names = [x for part in found for x in part.series], [name for part in found for name in part.names]
    if rows[0].shape[1] != want.width:
      raise ConfigError(f'{where} has series of {rows[0].shape[1]} variables; the model reads {want.width}')
    x = series.padded(rows, want.length, options.get('standardize', 'series'))
    return x, None if isinstance(names[0], bytes) else names
  if kind == 'graph':
    expected(where, model, 'node')
    nodes, found = graph.whole(path, **{key: options[key] for key in ('size', 'hops', 'directed', 'seed') if key in options})
    return nodes.take(np.arange(len(nodes))), found.names
  if kind == 'triples':
    expected(where, model, 'head')
    if 'entities' not in data.info or DATA.absolute(f'triples:{where}') != own['name']:
      raise ConfigError(f'triples:{where}: the model only has vectors of the entities of {own["name"]}; give that, and the workdir of its run')
    return np.arange(len(data.info['entities']), dtype=np.int32), list(data.info['entities'])
  if kind == '.npz':
    found = arrays.opened(path)
    name = next((name for name in found if name == data.inputs or arrays.called(name, found[name]) == data.inputs), None)
    if name is None and len(found) > 1:
      raise ConfigError(f'{where} holds {sorted(found)}, but the model reads {data.inputs!r}; rename the array')
    name = name or next(iter(found))
    return arrays.shaped(name, found[name]), None
  if kind == '.npy':
    return read_array(path), None
  if kind == '.smi':
    expected(where, model, 'ids')
    return smiles.read(path)
  if kind == 'tar':
    return of_rows(where, tars.found_in(tars.listed(where)), model)
  if kind == 'hf':
    parts = [hub.rows(x, split) for split, x in hub.opened(where, options.get('subset') if own['name'] == f'hf:{where}' else None).items()]
    columns = {name: [x for part in parts for x in part.columns[name]] for name in parts[0].columns}
    return of_rows(f'hf:{where}', Found(columns, [name for part in parts for name in part.names]), model)
  return of_rows(where, tables.found_in(path), model)


def expected(where: str, model: Any, column: str) -> None:
  """Raises ConfigError unless the model reads that column."""
  if model.data.inputs != column:
    want = model.data.spec[model.data.inputs]
    raise ConfigError(f'{where} gives the column {column!r}, but the model reads {model.data.inputs!r} {list(want.shape)}; give that column')


def of_rows(where: str, found: Found, model: Any) -> tuple[Any, list[str] | None]:
  """The column of the rows that a model reads, and row names: from a column id or name, or else the image files."""
  data, columns = model.data, found.columns
  want = data.spec[data.inputs]
  first = lambda names, fits: next((name for name in names if name in columns and fits(columns[name])), None)
  ids = first(('id', 'name'), lambda x: True)
  names = None if ids is None else [str(x) for x in columns[ids]]
  if is_picture(data.inputs, want.shape, want.dtype):
    if (key := first(IMAGE, pictures)) is None:
      raise ConfigError(f'{where} has the columns {sorted(columns)}, but the model reads images; name the column image')
    return np.stack([opened(x, name, want.shape) for x, name in zip(columns[key], found.names, strict=True)]), names or list(found.names)
  if model.reads_texts():
    if (key := first((data.inputs, *TEXTS['ids'], *ANSWERS), textual)) is None:
      raise ConfigError(f'{where} has the columns {sorted(columns)}, but the model reads texts; name the column text')
    if (row := next((i for i, x in enumerate(columns[key]) if not isinstance(x, str)), None)) is not None:
      raise ConfigError(f'{where}: row {row}, counted from 0, has no {key!r}; fill it in, or remove the row')
    return list(columns[key]), names or list(columns[key])
  label = first(LABEL, labelling)
  singles = [name for name in columns if name not in (label, ids) and numeric(columns[name])]
  if data.inputs in columns and (vector(columns[data.inputs]) or numeric(columns[data.inputs])):
    return np.array(columns[data.inputs]), names
  if data.inputs != 'numbers' or len(singles) != want.width:
    raise ConfigError(f'{where} has the columns {sorted(columns)}, but the model reads {data.inputs!r} {list(want.shape)}; give that column')
  return np.array([columns[name] for name in singles], np.float32).T, names


def opened(place: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
  """Reads an image from a file, or from part of one."""
  try:
    return decode(content(place), shape)
  except Exception as error:  # decoders' errors are of many types
    raise ConfigError(f'{name} cannot be read as a picture ({first_line(error)}); repair it, or remove it') from error


def plain_texts(path: Path) -> bool:
  """Whether the first line of a .jsonl file is a string, has `text`, or is not a table row."""
  try:
    with path.open(encoding='utf-8') as file:
      first = json.loads(next((line for line in file if line.strip()), '""'))
  except ValueError:
    return True  # which is reported with its line when it is read
  return not isinstance(first, dict) or 'text' in first or not {*first} & {*TEXTS['ids'], *ANSWERS}


def read_texts(path: Path) -> list[str]:
  """The texts in a .txt or .jsonl file, one per line."""
  try:
    lines = path.read_text('utf-8').split('\n')
  except ValueError as error:
    raise ConfigError(f'{path} is not UTF-8 ({first_line(error)}); convert it') from error
  lines = lines[:-1] if not lines[-1] else lines
  if path.suffix == '.jsonl':
    lines = [_text_of(path, i, line) for i, line in enumerate(lines, 1) if line.strip()]
  if not lines:
    raise ConfigError(f'{path} contains no texts; write one per line')
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
  """The array in an .npy file. Raises ConfigError if it is not a numeric array."""
  try:
    x = np.load(path, allow_pickle=False)
  except Exception as error:  # of a file that is something else, NumPy's errors are of many types
    raise ConfigError(f'{path} cannot be read as an array of numbers ({first_line(error)}); save one with numpy.save') from error
  if not isinstance(x, np.ndarray):
    raise ConfigError(f'{path} contains several arrays; save one with numpy.save')
  return x
