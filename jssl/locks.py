"""Exclusive write access to a folder, by a lock file with a heartbeat."""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from jssl import storage
from jssl.errors import ConfigError, Stopped

BEAT = 60  # seconds between heartbeats
SILENCE = 600  # seconds without heartbeat after which an owner on another host counts as dead


@contextlib.contextmanager
def owned(workdir: Path, take_over: bool = False) -> Iterator[Callable[[], None]]:
  """Gives this process exclusive write access to `workdir`, by a file `lock` in it, until the context ends.

  The lock of a dead process is taken over; a process on another host counts as dead after ten minutes without heartbeat. In a bucket, the owner
  writes a heartbeat file, whose age is measured by the clock of the store.

  Args:
    workdir: an existing folder.
    take_over: take the lock from its owner.

  Yields:
    A function that raises ConfigError once another run has taken the lock.

  Raises:
    ConfigError: if another run has the lock.
  """
  path, me = workdir / 'lock', {'process': os.getpid(), 'host': socket.gethostname(), 'started': _started(os.getpid()), 'since': time.time()}
  sign = path
  if storage.remote(workdir):
    sign = workdir / f'lock.{uuid.uuid4().hex[:12]}'
    me['sign'] = sign.name
    storage.replace(sign, '')
  try:
    for _ in range(10):  # if two find a dead owner at once, one takes over and the other one checks again
      try:
        storage.create(path, json.dumps(me))
        break
      except FileExistsError:
        _remove_if_dead(path, sign, take_over)
    else:
      raise ConfigError(f'{path} cannot be locked: other runs keep taking it; give another --workdir')
  except BaseException:
    if sign != path:
      storage.remove(sign)
    raise

  def mine() -> None:
    held = me
    with contextlib.suppress(OSError, ValueError):  # an unreadable lock may be our own
      held = json.loads(storage.text(path))
    if held != me:
      raise Stopped(f'{workdir} was taken over by another run; this one has stopped and wrote nothing since')

  stop = threading.Event()
  threading.Thread(target=_beat, args=(sign, stop), daemon=True).start()
  try:
    yield mine
  finally:
    stop.set()
    with contextlib.suppress(OSError, ValueError):
      if json.loads(storage.text(path)) == me:
        storage.remove(path)
    with contextlib.suppress(OSError):
      if sign != path:
        storage.remove(sign)


def _remove_if_dead(path: Path, own: Path, take_over: bool) -> None:
  """Removes a lock whose owner is dead, or that is to be taken over; in a bucket also its heartbeat file, whose age is measured against `own`.

  Raises:
    ConfigError: if its owner is alive.
  """
  process, host, since, dead, sign = 'unknown', 'an unknown host', None, False, path
  try:
    beat = storage.modified(path)
    held = json.loads(storage.text(path))
    with contextlib.suppress(FileNotFoundError):  # a lock that never had one is as old as it is
      sign = path.with_name(held['sign']) if own != path else path
      beat = max(beat, storage.modified(sign))
    process, host, dead = held['process'], held['host'], _started(held['process']) != held['started']
    since = time.localtime(held['since'])
  except FileNotFoundError:
    return
  except (ValueError, LookupError, TypeError, OverflowError):  # being written, or damaged
    pass
  now = time.time() if own == path else storage.modified(own)
  alive = not dead if host == socket.gethostname() else now - beat < SILENCE
  if alive and not take_over:
    who = f'process {process} on {host} since {time.strftime("%Y-%m-%d %H:%M:%S", since or time.localtime(beat))}'
    raise ConfigError(f'{path.parent} is in use by {who}; wait for it to end, give another --workdir, or --take-over if it is dead')
  if own != path:
    storage.remove(path)
    return storage.remove(sign) if sign != path else None
  aside = path.with_name(f'lock.{os.getpid()}')
  with contextlib.suppress(FileNotFoundError):
    os.replace(path, aside)
    aside.unlink()


def _started(process: int) -> str | None:
  """The start time of a process, which distinguishes it from a later one with the same id; None if there is no such process."""
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
      storage.replace(path, '') if storage.remote(path) else os.utime(path)
