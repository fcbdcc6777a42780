"""Checks that all processes of a run are about to do the same."""

import hashlib
import json
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from jssl import modules
from jssl.core.build import Plan
from jssl.errors import ConfigError
from jssl.keys import MEANS

PARTS = ('config', 'data', 'code')


def agree(plan: Plan) -> None:
  """Checks that all processes of a run were started with the same config, data and code, before any of them computes.

  Raises:
    ConfigError: in every process, if the config, the data or the code of a process differs from that of process 0.
  """
  if jax.process_count() == 1:
    return
  own = np.array([np.frombuffer(hashlib.sha256(part).digest(), np.uint8) for part in described(plan)])
  found = multihost_utils.process_allgather(own)  # [processes parts 32]
  differ = {part: np.flatnonzero((found[:, i] != found[0, i]).any(1)).tolist() for i, part in enumerate(PARTS)}
  if told := [f'the {part} of process {", ".join(map(str, which))}' for part, which in differ.items() if which]:
    raise ConfigError(
      f'{" and ".join(told)} differs from that of process 0; start all {len(found)} processes with the same command, data and code'
    )


def described(plan: Plan) -> tuple[bytes, bytes, bytes]:
  """Config, data and code as bytes; equal bytes mean equal contents."""
  shapes = [{name: (list(x.shape), str(x.dtype)) for name, x in sorted(phase.data.spec.items())} for phase in plan.phases]
  sizes = [{name: len(split) for name, split in sorted(phase.data.splits.items())} for phase in plan.phases]
  root = Path(__file__).parents[1]
  code = hashlib.sha256()
  for path in sorted(root.rglob('*.py')):
    code.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
  for path in modules.files(plan.config):
    code.update(path.read_bytes())
  text = lambda x: json.dumps(x, sort_keys=True, default=str).encode()
  return text({key: x for key, x in plan.config.items() if key not in MEANS}), text([shapes, sizes]), code.digest() + jax.__version__.encode()
