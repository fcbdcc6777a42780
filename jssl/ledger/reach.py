"""TEMPORARY."""

import ast
import functools
import hashlib
import importlib
import importlib.util
import inspect
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from jssl import experiments, run
from jssl.keys import DEFAULTS

ROOTS = ('jssl.core.build', 'jssl.core.loop', 'jssl.core.method', 'jssl.core.step', 'jssl.data.core.sources', 'jssl.evaluators.subject')


def code_hash(config: Mapping[str, Any]) -> str:
  """A hash of the config and of all code that its figures rest on: the step, what the config names, what these import.

  Code is hashed as it parses, without docstrings, so that a comment makes no record stale.
  """
  from jssl import tables

  named = set(ROOTS)
  if config.get('experiment'):
    named.add(experiments.module(config['experiment']['name']).__name__)
  for name in _named({'evaluators': DEFAULTS['evaluators'], **config, 'variants': _variants(config)}):
    for table in tables.TABLES.values():
      if name in [*table] or ':' in name and name in table:
        entry = inspect.unwrap(getattr(table[name], 'judge', table[name]))
        named.add((entry.func if isinstance(entry, partial) else entry).__module__)
  seen: set[str] = set()
  while named - seen:
    module = (named - seen).pop()
    seen.add(module)
    named |= _imported(module)
  digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
  for module in sorted(seen):
    digest.update(_skeleton(module))
  return digest.hexdigest()[:16]


def _variants(config: Mapping[str, Any]) -> list[dict[str, Any]]:
  """The configs of the variants of a claim, which may name code that the config itself does not."""
  found = []
  for settings in ((config.get('claim') or {}).get('variants') or {}).values():
    c = ConfigDict(dict(config))
    for setting in settings:
      run.set_option(c, setting)
    found.append(c.to_dict())
  return found


def _named(config: Any) -> Iterator[str]:
  """Every name in a config that a table may hold."""
  if isinstance(config, Mapping):
    for value in config.values():
      yield from _named(value)
  elif isinstance(config, list | tuple):
    for value in config:
      yield from _named(value)
  elif isinstance(config, str):
    yield config


@functools.cache
def _tree(module: str) -> ast.Module:
  spec = importlib.util.find_spec(module)
  return ast.parse(Path(spec.origin).read_text() if spec and spec.origin else '')


@functools.cache
def _imported(module: str) -> frozenset[str]:
  """The modules of jssl that a module imports, packages' own tables left out: they only list."""
  found = set()
  for node in ast.walk(_tree(module)):
    if isinstance(node, ast.ImportFrom) and (node.module or '').split('.')[0] == 'jssl':
      found |= {node.module, *(f'{node.module}.{a.name}' for a in node.names), *(_home_of(node.module, a.name) for a in node.names)}
    elif isinstance(node, ast.Import):
      found |= {a.name for a in node.names if a.name.startswith('jssl.')}
  return frozenset(m for m in found if m != 'jssl.tables' and _is_module(m))


@functools.cache
def _home_of(package: str, name: str) -> str:
  """The module of what a package offers under a name."""
  spec = importlib.util.find_spec(package)
  offers = spec and (spec.origin or '').endswith('__init__.py') and not _is_module(f'{package}.{name}')
  offered = getattr(importlib.import_module(package), name, None) if offers else None
  found = getattr(offered, '__module__', None)
  return found if isinstance(found, str) and found.startswith('jssl.') else package


@functools.cache
def _is_module(name: str) -> bool:
  try:
    spec = importlib.util.find_spec(name)
  except ModuleNotFoundError:
    return False
  return bool(spec and spec.origin and not spec.origin.endswith('__init__.py'))


@functools.cache
def _skeleton(module: str) -> bytes:
  tree = _tree(module)
  for node in ast.walk(tree):
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
      node.body = node.body[1:] or [ast.Pass()]
  return ast.dump(tree).encode()
