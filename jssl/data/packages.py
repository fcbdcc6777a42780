"""Files that packages carry."""

from importlib.util import find_spec
from pathlib import Path

from jssl.data.records import DataError


def package(module: str, inside: str, *, install: str) -> Path:
  """A file or folder that an installed package carries, found without importing the package.

  Args:
    module: the package's top-level module.
    inside: path from its folder.
    install: what to give to pip where it is missing.

  Raises:
    DataError: the package is not installed.
  """
  if (spec := find_spec(module)) is None:
    raise DataError(f'this data set comes with a package that is not installed: pip install {install}')
  return Path(spec.origin).parent / inside
