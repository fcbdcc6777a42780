"""A process that trains in turns: it reads a number of iterations from standard input, runs them, and prints the seconds.

python -m jssl.bench.served MODULE:FUNCTION NAME[:SCALE] [--config.x.y=v ...]

The function is `(config) -> Trainer`. Two such processes that wait for each other can be compared on a machine whose speed varies.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from jssl.configs import load_config

WARM = 2  # iterations before the first turn


class Trainer(NamedTuple):
  """What a process trains."""

  run: Callable[[int], None]  # runs this many iterations, to the end of the last one
  facts: Mapping[str, Any]  # parameters, and others that describe it


def end_with_parent(*_) -> None:
  """Has Linux end this process when its parent ends, even if it is stopped."""
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def serve(arguments: Sequence[str]) -> None:
  end_with_parent()
  answers = os.fdopen(os.dup(1), 'w', buffering=1)
  os.dup2(2, 1)  # libraries print to standard output
  place, name, *settings = arguments
  module, _, function = place.partition(':')
  config = load_config(name, settings)
  began = time.perf_counter()
  trainer = getattr(import_module(module), function)(config)
  trainer.run(1)
  first = time.perf_counter() - began
  trainer.run(WARM)
  print(json.dumps({**trainer.facts, 'batch_size': config.batch_size, 'first_iteration_seconds': first}), file=answers)
  for line in sys.stdin:
    began = time.perf_counter()
    trainer.run(int(line))
    print(time.perf_counter() - began, file=answers)


if __name__ == '__main__':
  serve(sys.argv[1:])
