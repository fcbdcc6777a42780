"""What `import jssl` offers: names, types and errors."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import jssl
from jssl import errors

ROOT = Path(__file__).resolve().parents[1]


def static_imports() -> dict[str, str]:
  """Name -> module, as type checkers read it."""
  tree = ast.parse(Path(jssl.__file__).read_text())
  (block,) = (n for n in tree.body if isinstance(n, ast.If) and n.test.id == 'TYPE_CHECKING')
  return {alias.name: node.module for node in block.body for alias in node.names}


def test_the_public_names_are_there():
  assert len(set(jssl.__all__)) == len(jssl.__all__)
  for name in jssl.__all__:
    assert getattr(jssl, name) is not None
    assert name in dir(jssl)
    assert name in jssl.__doc__, f'{name} is not among the stable names of the docstring'


def test_type_checkers_see_what_is_imported():
  assert static_imports() == {'objectives': 'jssl', **jssl._LAZY}
  assert set(jssl.__all__) == {*static_imports(), *(n for n in vars(jssl) if n.endswith('Error'))}
  for name, module in jssl._LAZY.items():
    assert getattr(importlib.import_module(module), name) is getattr(jssl, name)


def test_import_jssl_imports_no_jax():
  code = 'import sys, jssl; dir(jssl); print([m for m in ("jax", "numpy", "flax") if m in sys.modules])'
  found = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT)
  assert found.stdout.strip() == '[]'


def test_every_error_derives_from_the_base():
  skipped = ('jssl.__main__', 'jssl.configs.', 'jssl.experiments.')
  for module in pkgutil.walk_packages(jssl.__path__, 'jssl.', onerror=lambda name: None):
    if module.name.startswith(skipped):
      continue
    try:
      of = vars(importlib.import_module(module.name))
    except ImportError:  # of an extra that is not installed
      continue
    for name, value in of.items():
      if isinstance(value, type) and issubclass(value, BaseException) and value.__module__.startswith('jssl'):
        assert issubclass(value, errors.JsslError), f'{module.name}.{name} is no JsslError'
        assert value.__module__ == 'jssl.errors', f'{name} is defined in {value.__module__}; errors are defined in jssl.errors'


def test_errors_are_value_errors():
  assert issubclass(errors.JsslError, ValueError)
  assert issubclass(errors.Stopped, RuntimeError)


def test_types_check():
  """The files that pyproject.toml names pass the type checker."""
  pytest.importorskip('mypy')
  found = subprocess.run([sys.executable, '-m', 'mypy'], capture_output=True, text=True, cwd=ROOT)
  assert found.returncode == 0, found.stdout


def test_the_package_says_that_it_is_typed():
  assert (Path(jssl.__file__).parent / 'py.typed').exists()


def test_help_says_how_each_name_is_used():
  assert dir(jssl) == sorted([*jssl.__all__, '__version__'])
  parameters = inspect.signature(jssl.train).parameters
  assert not [name for name in parameters if f'    {name}: ' not in jssl.train.__doc__], 'an argument is not explained'
  for of in (jssl.train, jssl.Run, jssl.load, jssl.systems, jssl.load_config):
    assert 'jssl.' in of.__doc__ or 'run.' in of.__doc__, f'{of.__name__} shows no use'
