"""Folders of images, with subfolders as classes, if any."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.data.own.files import parts, stamps
from jssl.data.own.rows import Found, Options, made
from jssl.errors import DataError
from jssl.storage import reach
from jssl.types import Data


def folder(
  path: str,
  *,
  resize: int | tuple[int, int] | None = None,
  crop: Mapping[str, Any] | None = None,
  channels: int | None = None,
  held_out: float = 0.2,
) -> Data:
  """Images in a folder; subfolders are classes.

  Args:
    path: PATH of 'folder:PATH'. Folders `train` and `test` (or `val`) in it, or PATH_test next to it, are the splits.
    resize: side in pixels, or (height, width): images are scaled to cover it and centre-cropped. None: see `own.pictures.shape_of`.
    crop: random crops of the stored images in training: dict(views=2, scale=(0.08, 1), ratio=(3/4, 4/3), size=None); see `core.crops.crops_of`.
    channels: 1 grey, 3 RGB, 4 RGB and alpha; None for grey if all images are grey, else RGB.
    held_out: share of images in 'test', by a hash of their names, if there is no test folder.

  Returns:
    Data with image [h w c] uint8, and label [] int32 if there are classes.

  Raises:
    DataError: if there is no folder, or no image in it.
  """
  source, where = f'folder:{path}', reach(path)
  if where.exists() and not where.is_dir():
    raise DataError(f'{where} is not a folder; give folder:PATH of a folder')
  files, found = [], {}
  for split, of in (of_split := parts(where)).items():
    names = listed(of)
    if not names:
      raise DataError(f'{of} contains no files; expected images such as .png, .jpg or .webp, flat or in one folder per class')
    files += (places := [os.path.join(of, name) for name in names])
    classes = [Path(name).parts[0] if os.sep in name else None for name in names]
    columns = {'image': places, **({'label': classes} if any(classes) else {})}
    found[split] = Found(columns, names if len(of_split) == 1 else [f'{of.name}/{name}' for name in names])
  return made(source, found, Options(image='image', resize=resize, channels=channels, held_out=held_out, crop=crop), stamps(files))


def listed(where: Path) -> list[str]:
  """Files in a folder and its subfolders, as sorted relative names, without hidden files."""
  found = []
  for folder, within, names in os.walk(where, followlinks=True):
    within[:] = sorted(name for name in within if not name.startswith('.'))
    found += [os.path.relpath(os.path.join(folder, name), where) for name in names if not name.startswith('.')]
  return sorted(found)
