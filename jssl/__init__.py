"""Representation learning and self-supervised learning in JAX.

    import jssl

    run = jssl.train('simclr', data=images, epochs=20)    # images [n h w c], 'folder:photos', ...
    features = run.model.encode(images)                   # [n d]
    run.model.save('mine')
    model = jssl.load('mine')

Public names:

  train, Run                            trains a method and evaluates it; what it returns
  load, Model                           opens a trained model: `encode` gives features, `save` writes it
  systems                               lists every method with its paper, scales and claim
  evaluate                              evaluates a run in a workdir
  compare, sweep                        compares methods under equal budget; scores settings of a method on validation data
  objectives, gathered                  losses as pure functions of arrays; `gathered` for use within shard_map and pmap
  load_config, build, plan              reads a config by name; builds a Method, or a Plan with data and evaluation, from it
  arrays, Data, Column                  a data set from arrays, its type, and the type of its columns
  Method, Features                      what `build` returns; what a backbone returns
  JsslError, ConfigError, DataError     errors; all of them are in `jssl.errors`

`import jssl` imports nothing heavy, and `from jssl import objectives` costs an import of JAX. Other names are imported on first use.

These names and their signatures are stable until at least 1.0. A name to be removed or renamed first gives a DeprecationWarning for one minor
release. Names that are not listed here may change with any release.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jssl.errors import ConfigError, DataError, JsslError

if TYPE_CHECKING:
  from jssl import objectives
  from jssl.api import Run, train
  from jssl.comparison import compare
  from jssl.configs import load_config
  from jssl.core.build import build, plan
  from jssl.data.core.arrays import arrays
  from jssl.ledger.catalogue import systems
  from jssl.model import Model, load
  from jssl.ops.gathered import gathered
  from jssl.run import evaluate
  from jssl.sweeps.sweep import sweep
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
  'compare',
  'evaluate',
  'gathered',
  'load',
  'load_config',
  'objectives',
  'plan',
  'sweep',
  'systems',
  'train',
]

# name -> module that defines it
_LAZY = {
  'Column': 'jssl.types',
  'Data': 'jssl.types',
  'Features': 'jssl.types',
  'Method': 'jssl.types',
  'Model': 'jssl.model',
  'Run': 'jssl.api',
  'arrays': 'jssl.data.core.arrays',
  'build': 'jssl.core.build',
  'compare': 'jssl.comparison',
  'evaluate': 'jssl.run',
  'gathered': 'jssl.ops.gathered',
  'load': 'jssl.model',
  'load_config': 'jssl.configs',
  'plan': 'jssl.core.build',
  'sweep': 'jssl.sweeps.sweep',
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
  return sorted([*__all__, '__version__'])
