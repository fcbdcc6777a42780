"""Ownership of a workdir: one run writes into it at a time."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jssl import storage
from jssl.errors import ConfigError
from jssl.keys import differing
from jssl.locks import owned


def claim_workdir(workdir: Path, config: dict[str, Any], closing: contextlib.ExitStack, take_over: bool) -> Callable[[], None]:
  """Claims the workdir for this run until `closing` is closed.

  Returns:
    A function that raises ConfigError once another run has taken the workdir over; call it before every write.

  Raises:
    ConfigError: if the workdir is not writable, is in use, or holds a run of another config.
  """
  if '[' in storage.absolute(workdir):
    raise ConfigError(f"{workdir}: a workdir's path cannot have '[' in it, which the library of checkpoints takes for a pattern; give another")
  path, text = workdir / 'config.json', json.dumps(config, indent=1, sort_keys=True, default=str)
  try:
    storage.make(workdir)
    mine = closing.enter_context(owned(workdir, take_over))  # before reading the config, which another run may be writing
    if not storage.exists(path):
      storage.replace(path, text)
      return mine
    differ = differing({**json.loads(storage.text(path))}, json.loads(text))
  except (OSError, json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
    raise ConfigError(f'{workdir} cannot be used as a workdir ({error}); give one that can be read and written') from error
  if differ:
    what = f'{workdir} holds a run of another config (differing in {", ".join(differ)})'
    raise ConfigError(f'{what}; give another --workdir, or the same config to resume it')
  if text != storage.text(path):
    storage.replace(path, text)  # with new keys, and modules under their present paths
  return mine
