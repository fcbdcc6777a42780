"""Representation learning and self-supervised learning in JAX.

`from jssl import objectives` gives pure functions of arrays and costs a plain `import jax`; `import jssl` costs less. Everything else is
imported when it is first used.

Stable names:

  objectives, gathered                  pure functions of arrays; the same within shard_map and pmap
  load_config, build, plan              from a name to a config, and from a config to a Method or a Plan
  train, Run                            training in a line, and the run that comes of it
  evaluate                              protocols on a run that was kept
  systems                               every system with its paper, scales and claim
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
  from jssl.api import Run, train
  from jssl.configs import load_config
  from jssl.core.build import build, plan
  from jssl.data.core.arrays import arrays
  from jssl.ledger.catalogue import systems
  from jssl.model import Model, load
  from jssl.ops.gathered import gathered
  from jssl.run import evaluate
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
  'Run',
  'arrays',
  'build',
  'evaluate',
  'gathered',
  'load',
  'load_config',
  'objectives',
  'plan',
  'systems',
  'train',
]

# name -> module that has it
_LAZY = {
  'Column': 'jssl.types',
  'Data': 'jssl.types',
  'Features': 'jssl.types',
  'Method': 'jssl.types',
  'Model': 'jssl.model',
  'Run': 'jssl.api',
  'arrays': 'jssl.data.core.arrays',
  'build': 'jssl.core.build',
  'evaluate': 'jssl.run',
  'gathered': 'jssl.ops.gathered',
  'load': 'jssl.model',
  'load_config': 'jssl.configs',
  'plan': 'jssl.core.build',
  'systems': 'jssl.ledger.catalogue',
  'train': 'jssl.api',
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
