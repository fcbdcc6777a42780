"""Tars in WebDataset format: files with the same name and different suffixes form an example."""

import functools
import glob
import json
import os
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.data.core.pictures import first_line
from jssl.data.own.files import SPLITS, Slice, content, stamps, with_test
from jssl.data.own.rows import PICTURES, Found, Options, made
from jssl.errors import DataError
from jssl.storage import in_bucket, matching, near
from jssl.types import Data


def tar(
  pattern: str,
  *,
  label: str | None = None,
  text: str | None = None,
  resize: int | tuple[int, int] | None = None,
  crop: Mapping[str, Any] | None = None,
  channels: int | None = None,
  tokenizer: str | None = None,
  length: int | None = None,
  vocabulary: int = 4096,
  held_out: float = 0.2,
) -> Data:
  """Examples of tars: key.png (.jpg, ...) is the image, key.cls the class, key.txt a caption, key.json further columns.

  Args:
    pattern: pattern of paths: 'shards/{000..012}.tar', 'shards/*.tar'. Tars with 'test' or 'val' in their names are these splits if the other
      names contain 'train'.
    label, text: names of these columns, if not standard.
    resize, crop, channels: for images, as in `folder`.
    tokenizer, length, vocabulary: for texts, as in `table`.
    held_out: share of examples in 'test', by a hash of their keys, if there are no test tars.

  Returns:
    Data. Tars are read by random access; only headers are read when they are opened.

  Raises:
    DataError: if no file matches, or one cannot be read.
  """
  paths = listed(pattern)
  splits: dict[str, list[str]] = {}
  told = any(re.search(r'(^|[-_.])train', Path(path).name) for path in paths)
  for path in paths:
    of = re.search(r'(?:^|[-_.])(test|validation|valid|val)(?![a-z])', Path(path).name) if told else None
    splits.setdefault(SPLITS[of[1]] if of else 'train', []).append(path)
  found = {split: found_in(some) for split, some in with_test(splits).items()}
  given = Options(None, text, label, resize, channels, tokenizer, length, vocabulary, held_out, crop=crop)
  return made(f'tar:{pattern}', found, given, stamps(paths))


def listed(pattern: str) -> list[str]:
  """The paths of the tars that match a pattern. Raises DataError if there are none."""
  if in_bucket(pattern):
    paths = [str(near(at)) for at in sorted({at for part in braces(pattern) for at in matching(part)})]
  else:
    paths = sorted({path for part in braces(os.path.expanduser(pattern)) for path in glob.glob(part)})
  if not paths:
    raise DataError(f'no file matches {pattern}; give the paths of tars, as in tar:shards/*.tar')
  return paths


def braces(pattern: str) -> list[str]:
  """Expands '{00..12}' and '{a,b}' in a pattern."""
  if not (found := re.search(r'{([^{}]*)}', pattern)):
    return [pattern]
  if span := re.fullmatch(r'(\d+)\.\.(\d+)', found[1]):
    options = [f'{i:0{len(span[1])}d}' for i in range(int(span[1]), int(span[2]) + 1)]
  else:
    options = found[1].split(',')
  return [x for option in options for x in braces(pattern[: found.start()] + option + pattern[found.end() :])]


def found_in(paths: list[str]) -> Found:
  """The examples of tars as columns, with None for missing entries."""
  examples = [(key, example) for path in paths for key, example in members(path, os.stat(path).st_mtime_ns)]
  names = list(dict.fromkeys(name for _, example in examples for name in example))
  if not names:
    raise DataError(f'{paths[0]} contains no examples: expected files such as KEY.png and KEY.cls in it')
  return Found({name: [example.get(name) for _, example in examples] for name in names}, [key for key, _ in examples])


@functools.lru_cache(maxsize=1024)
def members(path: str, _stamp: int) -> list[tuple[str, dict[str, Any]]]:
  """(key, example) of a tar in order; images are given by their location in the file."""
  found: dict[str, dict[str, Any]] = {}
  try:
    with tarfile.open(path, 'r:') as opened:
      for member in opened:
        folder, _, base = member.name.rpartition('/')
        key, dot, suffix = base.partition('.')
        if not member.isfile() or not key or not dot:
          continue
        example, place = found.setdefault(f'{folder}/{key}' if folder else key, {}), Slice(path, member.offset_data, member.size)
        if f'.{(kind := suffix.lower())}'.endswith(PICTURES):
          example['image'] = place
        elif kind == 'cls':
          example['label'] = number(content(place).decode().strip())
        elif kind in ('txt', 'text', 'caption'):
          example['caption'] = content(place).decode().strip()
        elif kind == 'json':
          example |= {name: x for name, x in json.loads(content(place)).items() if not isinstance(x, dict)}
  except (OSError, tarfile.TarError, ValueError, AttributeError) as error:
    raise DataError(
      f'{path} cannot be read ({first_line(error)}); expected an uncompressed tar of files such as KEY.png and KEY.cls'
    ) from error
  return list(found.items())


def number(text: str) -> int | str:
  return int(text) if text.isdigit() else text
