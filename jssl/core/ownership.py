"""Who writes into a workdir: one run at a time."""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jssl.core.log import replace
from jssl.errors import ConfigError, Stopped
from jssl.keys import differing

BEAT = 60  # seconds between two signs of life
SILENCE = 600  # seconds without one, after which an owner on another host counts as dead


def claim_workdir(workdir: Path, config: dict[str, Any], closing: contextlib.ExitStack, take_over: bool) -> Callable[[], None]:
  """Makes the workdir this run's own until `closing` does, or finds that it is.

  Returns:
    What raises ConfigError once another run has taken it over: to be asked before anything is written.

  Raises:
    ConfigError: if it cannot be written, is in use, or holds a run of another config.
  """
  if '[' in str(workdir.absolute()):
    raise ConfigError(f"{workdir}: a workdir's path cannot have '[' in it, which the library of checkpoints takes for a pattern; give another")
  path, text = workdir / 'config.json', json.dumps(config, indent=1, sort_keys=True, default=str)
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    mine = closing.enter_context(owned(workdir, take_over))  # before the config, which another run may be writing
    if not path.exists():
      replace(path, text)
      return mine
    differ = differing({**json.loads(path.read_text())}, json.loads(text))
  except (OSError, json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
    raise ConfigError(f'{workdir} cannot be used as a workdir ({error}); give one that can be read and written') from error
  if differ:
    what = f'{workdir} holds a run of another config (differing in {", ".join(differ)})'
    raise ConfigError(f'{what}; give another --workdir, or the same config to resume it')
  if text != path.read_text():
    replace(path, text)  # with keys that are new, and modules where they are now
  return mine


@contextlib.contextmanager
def owned(workdir: Path, take_over: bool = False) -> Iterator[Callable[[], None]]:
  """Makes this process the one that writes into `workdir`, by a file `lock` in it, until it leaves.

  The lock of a process that has died is taken over: on this host that is known, on another one it counts as dead after ten minutes
  of silence.

  Args:
    workdir: which is there.
    take_over: take the lock from whoever has it.

  Yields:
    What raises ConfigError once another run has taken the lock.

  Raises:
    ConfigError: another run has it.
  """
  path, me = workdir / 'lock', {'process': os.getpid(), 'host': socket.gethostname(), 'started': _started(os.getpid()), 'since': time.time()}
  for _ in range(10):  # two that find a dead owner at once: one of them takes over, the other one looks again
    try:
      file = path.open('x')
      try:
        with file:
          json.dump(me, file)
      except OSError:  # half a lock would keep out whoever comes next
        path.unlink()
        raise
      break
    except FileExistsError:
      _remove_if_dead(path, take_over)
  else:
    raise ConfigError(f'{path} cannot be had: other runs take it again and again; give another --workdir')

  def mine() -> None:
    held = me
    with contextlib.suppress(OSError, ValueError):  # a lock that cannot be read may be ours
      held = json.loads(path.read_text())
    if held != me:
      raise Stopped(f'{workdir} was taken over by another run; this one has stopped and wrote nothing since')

  stop = threading.Event()
  threading.Thread(target=_beat, args=(path, stop), daemon=True).start()
  try:
    yield mine
  finally:
    stop.set()
    with contextlib.suppress(OSError, ValueError):
      if json.loads(path.read_text()) == me:
        path.unlink()


def _remove_if_dead(path: Path, take_over: bool) -> None:
  """Removes a lock whose owner is dead, or that is to be taken over.

  Raises:
    ConfigError: its owner is alive.
  """
  process, host, since, dead = 'unknown', 'an unknown host', None, False
  try:
    beat = path.stat().st_mtime
    held = json.loads(path.read_text())
    process, host, dead = held['process'], held['host'], _started(held['process']) != held['started']
    since = time.localtime(held['since'])
  except FileNotFoundError:
    return
  except (ValueError, LookupError, TypeError, OverflowError):  # being written, or damaged
    pass
  alive = not dead if host == socket.gethostname() else time.time() - beat < SILENCE
  if alive and not take_over:
    who = f'process {process} on {host} since {time.strftime("%Y-%m-%d %H:%M:%S", since or time.localtime(beat))}'
    raise ConfigError(f'{path.parent} is in use by {who}; wait for it to end, give another --workdir, or --take-over if it is dead')
  aside = path.with_name(f'lock.{os.getpid()}')
  with contextlib.suppress(FileNotFoundError):
    os.replace(path, aside)
    aside.unlink()


def _started(process: int) -> str | None:
  """What tells a process from a later one of the same number: when it started; None where there is no such process."""
  try:
    return Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[19]
  except OSError:
    pass
  if Path('/proc/self/stat').exists():
    return None
  try:  # no /proc on this system
    os.kill(process, 0)
  except ProcessLookupError:
    return None
  except PermissionError:
    pass
  return 'running'


def _beat(path: Path, stop: threading.Event) -> None:
  while not stop.wait(BEAT):
    with contextlib.suppress(OSError):
      os.utime(path)
