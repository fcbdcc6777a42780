"""Files in installed packages, located without importing them."""

from importlib.util import find_spec
from pathlib import Path

from jssl.errors import DataError


def package(module: str, name: str, inside: str = '', *, options: str = '') -> Path:
  """Locates a file or folder of a package.

  Args:
    module: name of the Python module.
    name: name for pip, which may be an extra of jssl.
    inside: path within the package.
    options: pip options, for example to skip dependencies.

  Raises:
    DataError: if the package is not installed.
  """
  if (spec := find_spec(module)) is None or spec.origin is None:
    raise DataError(f"this data set needs the package {module}, which is not installed: pip install {options}{' ' if options else ''}'{name}'")
  return Path(spec.origin).parent / inside
