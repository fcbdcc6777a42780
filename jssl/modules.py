"""User code and user data in configs: functions of modules, 'mine.losses:hinge', and data by location, 'folder:photos'.

Modules are found independently of the current folder. Installed modules come first, then those in the config's `modules`, the folders in which
its modules were found when it was read.
"""

import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jssl import storage

SCHEMES = (
  'folder',
  'clips',
  'tar',
  'hf',
  'tfds',
  'packed',
  'graph',
  'triples',
  'series',
)  # 'folder:photos' is a data location, not a function of a module `folder`
_here = str(Path(__file__).parent)
_added: list[str] = []  # folders that configs have added to the search path of this process


def own_name(name: str) -> bool:
  """Whether a name refers to a user function: a module, a colon and an attribute."""
  module, colon, attribute = name.partition(':')
  return bool(colon) and module not in SCHEMES and attribute.isidentifier() and all(part.isidentifier() for part in module.split('.'))


class OwnData:
  """A table of data sets extended by locations of user data, with a scheme or a file suffix.

  Args:
    room, entries: as in the table.
    own: scheme or suffix -> 'module:attribute' within the room, of a function that reads such data and takes the location as its only
      positional argument.
  """

  def __init__(self, room: str, entries: dict[str, Any], own: dict[str, str]):
    super().__init__(room, entries)
    self.room, self.entries, self.own = room, entries, own

  def place(self, name: object) -> tuple[str, str] | None:
    """The scheme or suffix of user data, and their location; None for the name of a data set."""
    if not isinstance(name, str) or name in self.entries or own_name(name):
      return None
    scheme, colon, where = name.partition(':')
    if colon and scheme in SCHEMES:
      return (scheme, where) if where else None
    ending = Path(name).suffix.lower()
    return (ending, name) if ending in self.own else None

  def absolute(self, name: str) -> str:
    """The name of user data with an absolute path."""
    scheme, where = self.place(name) or ('', '')
    pattern = scheme == 'tar' and storage.in_bucket(where)
    if not scheme or scheme == 'tfds' or pattern or scheme == 'hf' and not Path(where).expanduser().is_dir():
      return name
    there = storage.absolute(where)
    return there if scheme.startswith('.') else f'{scheme}:{there}'

  def __getitem__(self, name: str) -> Any:
    if (place := self.place(name)) is None:
      return super().__getitem__(name)
    module, _, attribute = self.own[place[0]].partition(':')
    return partial(getattr(importlib.import_module(f'jssl.{self.room}.{module}'), attribute), place[1])

  def __contains__(self, name: object) -> bool:
    return super().__contains__(name) or self.place(name) is not None


def names(config: Any) -> Iterator[str]:
  """The names in a config that refer to user functions."""
  if isinstance(config, Mapping):
    for key, value in config.items():
      told = value.values() if key == 'evaluators' and isinstance(value, Mapping) else [value] if key == 'name' else []
      yield from (x for x in told if isinstance(x, str) and own_name(x))
      yield from names(value)
  elif isinstance(config, list | tuple):
    for value in config:
      yield from names(value)


def look_in(folder: str | Path) -> None:
  """Adds a folder to the search path for modules, after installed ones."""
  folder = str(Path(folder).absolute())
  if folder not in sys.path:
    sys.path.append(folder)
    _added.append(folder)


def use(config: Mapping[str, Any]) -> str | tuple[str, ...] | None:
  """Makes the modules that a config names importable, from the folders under its `modules`.

  Returns:
    Their folders in config form: one, several, or None if all are installed.

  Raises:
    ValueError: if a module is neither installed nor in these folders, or this process has loaded another one with its name.
  """
  given, found = folders(config), {}
  for folder in given:
    look_in(folder)
  for name in dict.fromkeys(names(config)):
    top = name.partition(':')[0].partition('.')[0]
    loaded = sys.modules.get(top)
    holding = [folder for folder in given if holds(folder, top)]
    if loaded and holding and (before := [f for f in _added if f not in given and f in _parents(loaded.__spec__)]):
      raise ValueError(
        f'{name!r} is in {holding[0]}, and this process has imported a module {top!r} from {before[0]}; open them in separate processes'
      )
    parents = _parents(_spec(top))
    if not parents and not loaded:
      where = f'not in {" or ".join(given)}' if given else 'not next to the config file'
      raise ValueError(
        f'{name!r} names the module {top!r}, which is not installed and {where}; put it back, install it with pip, or give the folder '
        'that it is in: PYTHONPATH=FOLDER'
      )
    found |= dict.fromkeys(holding[:1] or [folder for folder in parents if not _library(folder)][:1])
  return None if not found else next(iter(found)) if len(found) == 1 else tuple(found)


def folders(config: Mapping[str, Any]) -> tuple[str, ...]:
  """The folders under `modules` in a config."""
  given = config.get('modules') or ()
  given = (given,) if isinstance(given, str) else given
  if not isinstance(given, list | tuple) or not all(isinstance(folder, str) for folder in given):
    raise ValueError(f'modules must be a folder or several, not {given!r}')
  return tuple(given)


def holds(folder: str, module: str) -> bool:
  """Whether a folder has a module or package with that name."""
  return (Path(folder) / f'{module}.py').is_file() or (Path(folder) / module).is_dir()


def files(config: Mapping[str, Any]) -> list[Path]:
  """The source files of the modules that a config names, and of their sibling modules in packages."""
  tops = {name.partition(':')[0].partition('.')[0] for name in names(config)}
  roots = [Path(place) for top in sorted(tops) if (spec := _spec(top)) for place in spec.submodule_search_locations or [spec.origin or '']]
  return [path for root in roots for path in (sorted(root.rglob('*.py')) if root.is_dir() else [root] if root.is_file() else [])]


def said(error: BaseException) -> str:
  """An error in a user module in one line, with its location in the user's file."""
  if isinstance(error, AttributeError) and isinstance(error.obj, type(sys)) and not _place(error):
    return f'{error.obj.__name__} ({getattr(error.obj, "__file__", None)}) has no {error.name!r}; there are {_public(error.obj)}'
  text = error.msg if isinstance(error, SyntaxError) else ' '.join(str(error).split())[:400]
  where = _place(error)
  return f'{type(error).__name__}: {text}' + (f', at {where}' if where else '')


def _public(module: Any) -> str:
  return ', '.join([name for name, x in vars(module).items() if not name.startswith('_') and callable(x)][:20]) or 'none'


def _place(error: BaseException) -> str:
  """FILE:LINE of the innermost line in user code."""
  if isinstance(error, SyntaxError) and error.filename:
    return f'{error.filename}:{error.lineno}'
  frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith('<')]
  frames = [f for f in frames if not f.filename.startswith((_here, sysconfig.get_path('stdlib') + os.sep + 'importlib'))]
  own = [f for f in frames if not _library(f.filename)] or frames
  return f'{own[-1].filename}:{own[-1].lineno}' if own else ''


def _library(path: str) -> bool:
  return path.startswith(tuple(sysconfig.get_path(kind) for kind in ('stdlib', 'platstdlib', 'purelib', 'platlib')))


def _spec(module: str) -> Any:
  try:
    return importlib.util.find_spec(module)
  except (ValueError, ImportError):  # of what has no file, as a notebook's __main__
    return None


def _parents(spec: Any) -> list[str]:
  """The folders that contain a top-level module."""
  if spec is None:
    return []
  places = list(spec.submodule_search_locations or [])
  return [str(Path(place).absolute().parent) for place in places or ([spec.origin] if spec.origin else [])]
