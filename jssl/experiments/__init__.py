"""Systems that do not fit one loss a step, each with a short loop of its own, the same from a checkout and a wheel.

They stand in the repository's folder `experiments/loops/`; a wheel carries them here.
"""

import importlib
from pathlib import Path
from types import ModuleType

_here = Path(__file__).parent
_loops = _here.parents[1] / 'experiments' / 'loops'
if _loops.is_dir():
  __path__.append(str(_loops))


def names() -> list[str]:
  """Every loop there is."""
  return sorted(f.stem for folder in __path__ for f in Path(folder).glob('*.py') if not f.stem.startswith('_'))


def module(name: str) -> ModuleType:
  """The loop of that name, with loop(*, seed, **options) -> Loop.

  Raises:
    LookupError: if there is none.
  """
  if name not in names():
    raise LookupError(name)
  return importlib.import_module(f'{__name__}.{name}')
