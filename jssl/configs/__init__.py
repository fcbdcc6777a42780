"""The configs, one file a system, the same from a checkout, an editable install and a wheel.

They stand in the repository's top-level folder `configs/`; a wheel carries them here. A config has scales: `simclr:tiny`, which
trains in seconds, `simclr:small`, or `simclr`, for which its claim is made, and those that its module publishes, `simclr:imagenet`.
"""

import importlib
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

from jssl.modules import look_in

_here = Path(__file__).parent
if not (_here / 'common.py').exists():
  __path__.append(str(_here.parents[1] / 'configs'))

SMALL = 'small'


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
    look_in(Path(name).resolve().parent)  # its own modules are found as if it were run
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
  known = names()
  if name not in known:
    raise LookupError(name)
  return importlib.import_module(known[name])


def scales(config: ModuleType) -> tuple[str, ...]:
  """The scales of a config module; `small` alone where its `get_config` takes none."""
  if 'scale' not in inspect.signature(config.get_config).parameters:
    return (SMALL,)
  return ('tiny', SMALL, *getattr(config, 'PUBLISHED', {}))
