"""Data objects of a program, named so that a config can refer to them: the data of `jssl.train(..., data=...)`."""

import hashlib
from typing import Any

import numpy as np

from jssl.data.core.arrays import resident
from jssl.data.core.operators import ALL
from jssl.errors import DataError
from jssl.types import Data

_held: dict[str, Data] = {}  # of this process, by fingerprint


def hold(data: Data) -> dict[str, Any]:
  """Registers data in this process. Returns the `data` entry of a config that refers to them."""
  fingerprint = fingerprint_of(data)
  _held[fingerprint] = data._replace(info={**data.info, 'fingerprint': {'arrays in memory': fingerprint}})
  return dict(name='memory', fingerprint=fingerprint)


def fingerprint_of(data: Data) -> str:
  """A hash of all columns of all splits. Changed data give a different config, so no run resumes with them."""
  digest = hashlib.sha256()
  for split in sorted(data.splits):
    for name, x in sorted(resident(data.splits[split], ALL).columns.items()):
      digest.update(f'{split} {name} {x.dtype} {x.shape}\n'.encode() + np.ascontiguousarray(x).tobytes())
  return digest.hexdigest()[:16]


def memory(*, fingerprint: str) -> Data:
  """The data that were registered with `hold` in this process.

  Raises:
    DataError: if no data with this fingerprint are registered.
  """
  if fingerprint not in _held:
    raise DataError(f'the data {fingerprint} were arrays of another process; give them to jssl.train again, with the same workdir')
  return _held[fingerprint]
