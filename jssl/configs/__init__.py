"""The configs, one file a system, the same from a checkout, an editable install and a wheel.

They stand in the repository's top-level folder `configs/`; a wheel carries them here. A config has scales: `simclr:tiny`, which
trains in seconds, `simclr:small`, or `simclr`, for which its claim is made, those of other data in its SCALES, `simclr:fashion_mnist`, and
those that its module publishes, `simclr:imagenet`.
"""

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from jssl import modules
from jssl.errors import ConfigError
from jssl.options import closest

_here = Path(__file__).parent
if not (_here / 'common.py').exists():
  __path__.append(str(_here.parents[1] / 'configs'))

SMALL = 'small'
OPEN = ('start', 'mesh', 'source', 'represent', 'metrics', 'curves')  # keys whose entries may be set where a config has none of them


def names() -> dict[str, str]:
  """System name -> module: every file on a shelf of `configs/`.

  Raises:
    ValueError: two files have one name.
  """
  found: dict[str, Path] = {}
  for file in sorted(f for folder in __path__ for f in Path(folder).glob('*/*.py') if not f.stem.startswith('_')):
    if file.stem in found:
      raise ValueError(f'two configs are called {file.stem}: {found[file.stem]} and {file}; rename one of the files')
    found[file.stem] = file
  return {name: f'{__name__}.{file.parent.name}.{name}' for name, file in sorted(found.items())}


def split(name: str) -> tuple[str, str]:
  """'simclr:tiny' -> ('simclr', 'tiny'); the scale is `small` where none is given. Colons within a path stay."""
  system, colon, scale = name.rpartition(':')
  return (system, scale) if colon and scale.isidentifier() else (name, SMALL)


def module(name: str) -> ModuleType:
  """The config module of a system, or of a file that has a `get_config`.

  Raises:
    LookupError: if there is none of that name.
    FileNotFoundError: if the file is not there.
  """
  if name.endswith('.py'):
    if not Path(name).is_file():
      raise FileNotFoundError(name)
    modules.look_in(Path(name).resolve().parent)  # its own modules are found as if it were run
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    found = importlib.util.module_from_spec(spec)
    exec(spec.loader.source_to_code(spec.loader.get_data(name), name), found.__dict__)  # no bytecode, which tells edits by the second
    return found
  known = names()
  if name not in known:
    raise LookupError(name)
  return importlib.import_module(known[name])


def scales(config: ModuleType) -> tuple[str, ...]:
  """The scales of a config module; `small` alone where its `get_config` takes none."""
  if 'scale' not in inspect.signature(config.get_config).parameters:
    return (SMALL,)
  return ('tiny', SMALL, *getattr(config, 'SCALES', ()), *getattr(config, 'PUBLISHED', {}))


def at_scale(config: ModuleType, scale: str) -> Any:
  """The config of a scale: a published one is that of the function of its name without arguments, where the module has one.

  What published scales share with each other, or with `get_config`, is in a function `published` by convention.
  """
  own = getattr(config, scale, None) if scale in getattr(config, 'PUBLISHED', {}) else None
  return own() if callable(own) and not inspect.signature(own).parameters else config.get_config(scale)


def load_config(name: str, overrides: Sequence[str] = ()):
  """Reads the config of a system or of a file.

      c = jssl.load_config('simclr:tiny', ['losses.nce.temperature=0.1'])

  Args:
    name: 'simclr', 'simclr:tiny', or a file with a function `get_config`: 'my_method.py'.
    overrides: settings 'x.y=value', which are applied in order; `--config.` before them is left out.

  Returns:
    An ml_collections.ConfigDict.

  Raises:
    ConfigError: there is no such system, file, scale or option.
  """
  system, scale = split(name)
  try:
    of = module(system)
    known = scales(of)
    c = None if scale not in known else at_scale(of, scale) if len(known) > 1 else of.get_config()
  except Exception as error:  # what a user's file raises is of any type
    if not system.endswith('.py') and system not in names():
      raise ConfigError(f'no system is called {system!r}{closest(system, names())}') from None
    if not Path(system).exists() and system not in names():
      raise ConfigError(f'there is no config file {system}') from None
    raise ConfigError(
      f"{system} is not a config: {modules.said(error)}; it needs a function get_config() of no arguments, or get_config(scale='small')"
    ) from error
  if scale not in known:
    raise ConfigError(f'{system} has no scale {scale!r}; there are {", ".join(known)}')
  if not isinstance(c, ConfigDict):
    raise ConfigError(f'get_config() of {system} returned {type(c).__name__}; expected an ml_collections.ConfigDict')
  c.name = Path(system).stem
  for override in overrides:
    set_option(c, override.removeprefix('--config.'))
  if any(modules.names(given := c.to_dict())):
    given['modules'] = given.get('modules') or (str(Path(system).resolve().parent) if system.endswith('.py') else None)
    modules.look_in(Path.cwd())  # last of all
    with c.ignore_type():
      c.modules = modules.use(given)
  return c


def set_option(c: Any, setting: str) -> None:
  """Sets one `x.y=v`. A new `name` takes with it the options that belonged to the old one."""
  path, equals, text = setting.partition('=')
  if not equals:
    raise ConfigError(f'--config.{setting} has no value; write --config.{setting}=VALUE')
  *parents, last = path.split('.')
  if parents and parents[0] in OPEN and parents[0] not in c:
    with c.ignore_type():
      c[parents[0]] = {}
  for key in parents:
    if key not in c or not hasattr(c[key], 'to_dict'):
      raise ConfigError(f'--config.{path}: unknown option {key!r}{closest(key, c.keys())}')
    c = c[key]
  try:
    value = ast.literal_eval(text)
  except (ValueError, SyntaxError):
    value = text  # a word needs no quotes
  if last == 'name' and c.get('name') != value:
    for key in list(c.keys()):
      if key not in ('on', 'of', 'pairs', 'over', 'weight', 'networks'):
        del c[key]
  with c.ignore_type():
    c[last] = value
