"""Files that installed packages carry, found without importing these."""

from importlib.util import find_spec
from pathlib import Path

from jssl.errors import DataError


def package(module: str, name: str, inside: str = '', *, options: str = '') -> Path:
  """A file or folder of a package.

  Args:
    module: its name in Python.
    name: its name for pip, which may be an extra of jssl.
    inside: the path within it.
    options: of pip, where it should not bring what the package asks for.

  Raises:
    DataError: the package is not installed.
  """
  if (spec := find_spec(module)) is None or spec.origin is None:
    raise DataError(f"these data come with the package {module}, which is not installed: pip install {options}{' ' if options else ''}'{name}'")
  return Path(spec.origin).parent / inside
