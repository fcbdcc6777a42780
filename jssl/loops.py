"""Systems with a custom loop: named steps, each saved when it is completed, and metrics of their results.

Training that is not one loss per step (a series of models that must stay compatible, a policy cover built layer by layer) is written as a
`Loop` in `experiments/loops/`. This module runs it; a step that a killed run had completed is not repeated.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jssl import experiments
from jssl.core.log import Log
from jssl.core.ownership import claim_workdir
from jssl.core.stored import fingerprint, quiet, short
from jssl.errors import ConfigError
from jssl.options import closest
from jssl.storage import children, for_orbax, modified, remote, remove, saved, text
from jssl.types import Loop


def make(config: Mapping[str, Any]) -> Loop:
  """The loop that a config names, with its options.

  Raises:
    ConfigError: for an unknown name or option.
  """
  options = dict(config['experiment'])
  name = options.pop('name', None)
  try:
    own = experiments.module(name)
  except LookupError:
    raise ConfigError(f'no experiment is called {name!r}{closest(name, experiments.names())}') from None
  try:
    return own.loop(seed=config['seed'], **options)
  except TypeError as error:
    raise ConfigError(f'experiment {name}: {error}') from error


def run(loop: Loop, workdir: Path | None = None, *, quiet: bool = True, mine: Callable[[], None] = lambda: None) -> dict[str, Any]:
  """Runs a loop and returns its states by name; states saved in `workdir` are read from there.

  Args:
    loop: the loop.
    workdir: folder for states, and for the seconds of each in metrics.jsonl; None saves nothing.
    quiet: hide progress.
    mine: raises an error if another run has taken over the workdir; called before a state is written.
  """
  states: dict[str, Any] = {}
  log = Log(workdir)
  for i, (name, step) in enumerate(loop.steps, 1):
    folder = workdir / 'states' / name if workdir else None
    if folder and saved(folder):
      states[name] = read(folder)
      continue
    began = time.perf_counter()
    states[name] = jax.block_until_ready(step(states))
    if folder:
      mine()
      write(folder, states[name])
      log.write(i, {'seconds': time.perf_counter() - began})
    if not quiet:
      print(f'{name}: {time.perf_counter() - began:.1f} s', file=sys.stderr, flush=True)
  log.finish()
  return states


def train(config: Mapping[str, Any], workdir: Path | None, *, quiet: bool = False, take_over: bool = False) -> dict[str, dict[str, float]]:
  """Trains the loop of a config, resuming from `workdir`. Returns its rows of metrics."""
  loop = make(config)
  mine = lambda: None
  with contextlib.ExitStack() as closing:
    if workdir:
      mine = claim_workdir(workdir, dict(config), closing, take_over)
    return loop.rows(run(loop, workdir, quiet=quiet, mine=mine))


def states(workdir: Path) -> dict[str, Any]:
  """The states by name that a loop saved in `workdir`.

  Raises:
    ConfigError: if there are none.
  """
  folders = sorted(filter(saved, children(workdir / 'states')), key=_written)
  if not folders:
    raise ConfigError(f'{workdir} has no saved state yet; train it longer first')
  return {folder.name: read(folder) for folder in folders}


def _written(folder: Path) -> float:
  """When a state was written; a folder in a bucket has no time."""
  return modified(folder / '_CHECKPOINT_METADATA' if remote(folder) else folder)


def rows(workdir: Path) -> dict[str, dict[str, float]]:
  """The metrics of the finished loop in `workdir`, from its saved states."""
  loop, held = make(json.loads(text(workdir / 'config.json'))), states(workdir)
  if missing := [name for name, _ in loop.steps if name not in held]:
    raise ConfigError(f'{workdir} lacks the states {", ".join(missing)}; train it to its end first')
  return loop.rows(held)


def forget(workdir: Path, name: str) -> None:
  """Removes a state, which is then computed again."""
  remove(workdir / 'states' / name)


def write(folder: Path, tree: Any) -> None:
  """Saves a pytree of arrays in a folder, which only exists once it is complete."""
  from orbax.checkpoint import v1 as ocp

  try:
    ocp.save(for_orbax(folder), {'tree': tree, 'sum': np.array(int(fingerprint(tree), 16), np.uint32)})
  except Exception as error:  # the writer's errors are of many types
    raise OSError(f'{folder} cannot be written ({short(error)}); free space or give write permission') from error


def read(folder: Path) -> Any:
  """Reads a result of `write`.

  Raises:
    ValueError: if it cannot be read.
  """
  from orbax.checkpoint import v1 as ocp

  quiet()
  try:
    found = ocp.load(for_orbax(folder))
    if set(found) != {'tree', 'sum'}:  # of an earlier version
      return found
    if int(found['sum']) != int(fingerprint(found['tree']), 16):
      raise ValueError('its files are damaged')
    return found['tree']
  except Exception as error:  # any damage at all
    raise ValueError(f'{folder} cannot be read ({short(error)}); remove it, and run the command again') from error
