"""Representation learning and self-supervised learning in JAX.

`from jssl import objectives` gives pure functions of arrays and costs a plain `import jax`; `import jssl` costs less. Everything else is
imported when it is first used.

Stable names:

  objectives                            pure functions of arrays
  load_config, build, plan              from a name to a config, and from a config to a Method or a Plan
  train, evaluate                       a run, and protocols on a run
  load, Model                           a trained model: `encode` gives features, `save` writes a folder that `load` opens
  arrays, Column, Data                  data of one's own, and their types
  Features, Method                      what a backbone returns, and what a config is built to
  JsslError, ConfigError, DataError     errors; all of them are in `jssl.errors`

These names and their signatures stay until 1.0 at least. What is to be removed or renamed gives a DeprecationWarning for one minor release
before. Names that are not listed here may change with any release.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jssl.errors import ConfigError, DataError, JsslError

if TYPE_CHECKING:
  from jssl import objectives
  from jssl.core.build import build, plan
  from jssl.data.core.arrays import arrays
  from jssl.model import Model, load
  from jssl.run import evaluate, load_config, train
  from jssl.types import Column, Data, Features, Method

__version__ = '0.1.0'

__all__ = [
  'Column',
  'ConfigError',
  'Data',
  'DataError',
  'Features',
  'JsslError',
  'Method',
  'Model',
  'arrays',
  'build',
  'evaluate',
  'load',
  'load_config',
  'objectives',
  'plan',
  'train',
]

# name -> module that has it
_LAZY = {
  'Column': 'jssl.types',
  'Data': 'jssl.types',
  'Features': 'jssl.types',
  'Method': 'jssl.types',
  'Model': 'jssl.model',
  'arrays': 'jssl.data.core.arrays',
  'build': 'jssl.core.build',
  'evaluate': 'jssl.run',
  'load': 'jssl.model',
  'load_config': 'jssl.run',
  'plan': 'jssl.core.build',
  'train': 'jssl.run',
}


def __getattr__(name: str) -> Any:
  if name == 'objectives':
    return importlib.import_module('jssl.objectives')
  if name not in _LAZY:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
  return value


def __dir__() -> list[str]:
  return sorted([*__all__, '__all__', '__doc__', '__file__', '__name__', '__path__', '__spec__', '__version__'])
