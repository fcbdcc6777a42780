"""The configs, one file a system, the same from a checkout, an editable install and a wheel.

They stand in the repository's top-level folder `configs/`; a wheel carries them here.
"""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from jssl.modules import look_in

_here = Path(__file__).parent
if not (_here / 'common.py').exists():
  __path__.append(str(_here.parents[1] / 'configs'))


def names() -> dict[str, str]:
  """System name -> module: every file on a shelf of `configs/`."""
  files = sorted(f for folder in __path__ for f in Path(folder).glob('*/*.py'))
  return {f.stem: f'{__name__}.{f.parent.name}.{f.stem}' for f in files if not f.stem.startswith('_')}


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
