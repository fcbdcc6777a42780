"""Multiple processes: of one run, which connect and end together; and of many runs, which share the cores."""

import contextlib
import math
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import jax

from jssl.errors import Stopped

HEARTBEAT = 60  # seconds without heartbeat after which a process counts as lost, and the others end
MEMORY = 3 << 30  # bytes that a process grows to over many runs of small networks, with a margin


@contextlib.contextmanager
def joined(count: int | str, *, coordinator: str | None = None, process: int | None = None) -> Iterator[None]:
  """Connects this process with others that run the same program; must be entered before any device is used.

  An error in one process ends it immediately, and thereby the others, which wait for it.

  Args:
    count: number of processes, or 'auto' if JAX can detect it: TPU pods, SLURM, Open MPI.
    coordinator: HOST:PORT of process 0, a free port that all processes can reach; only with a number.
    process: index of this process, 0 to count - 1; only with a number.

  Raises:
    ValueError: if the three are inconsistent, or 'auto' finds no cluster.
  """
  given = (coordinator is not None, process is not None)
  if any(given) if count == 'auto' else not (all(given) and str(count).isdigit()):
    raise ValueError('give only processes=auto (TPU pods, SLURM, Open MPI), or processes=N with coordinator=HOST:PORT and process=I')
  who = {} if count == 'auto' else dict(coordinator_address=coordinator, num_processes=int(count), process_id=process)
  try:
    jax.distributed.initialize(**who, heartbeat_timeout_seconds=HEARTBEAT)
  except ValueError as error:
    raise ValueError(f'the processes cannot connect ({error}); outside of TPU pods, SLURM and Open MPI, give '
                     'processes=N, coordinator=HOST:PORT and process=I') from error  # fmt: skip
  try:
    yield
  except Stopped:
    raise  # all stop at the same step
  except BaseException as error:
    # The others wait for this one in a collective, and would hang, since it would wait for them at its exit.
    why = ' '.join(f'{type(error).__name__}: {error}'.split())
    if isinstance(error, jax.errors.JaxRuntimeError):
      why += '; if a process or the network was lost, the same commands, run again on all, continue from the last checkpoint'
    print(f'jssl: process {jax.process_index()} of {jax.process_count()} stops all processes: {why}', file=sys.stderr, flush=True)
    os._exit(2)


@contextlib.contextmanager
def workers(count: int, ready: Callable[[], None]) -> Iterator[Callable]:
  """A `map` that distributes calls over processes, each with a share of the cores; small networks do not use two cores fully.

  An error or an interruption ends all of them.

  Args:
    count: number of processes; 1 for `map` itself, in this process.
    ready: called first in each process.
  """
  if count == 1:
    yield map
    return
  others = multiprocessing.active_children()
  context = multiprocessing.get_context('spawn')  # JAX has threads, which do not survive a fork
  shares = context.SimpleQueue()
  for i in range(count):
    shares.put(cores()[i::count])
  with ProcessPoolExecutor(count, context, _start, (shares, ready)) as pool:

    def spread(work: Callable, *arguments) -> Iterator:
      asked = [pool.submit(work, *a) for a in zip(*arguments, strict=True)]
      return (a.result() for a in asked)

    try:
      yield spread
    except BaseException:
      for child in multiprocessing.active_children():
        if child not in others:
          child.kill()  # after terminate() a run would stop at its next step, and the next one would begin
      raise


def _start(shares, ready: Callable[[], None]) -> None:
  if (share := shares.get()) and hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, share)  # JAX starts as many threads as it sees cores
  threading.Thread(target=_end_with_parent, daemon=True).start()
  ready()


def _end_with_parent() -> None:
  multiprocessing.parent_process().join()
  os._exit(2)


def at_once() -> int:
  """The number of runs to execute in parallel: one per core, as far as memory suffices, or one if there is an accelerator."""
  if jax.default_backend() != 'cpu':
    return 1
  memory, processors = limits()
  if 'SC_PHYS_PAGES' in getattr(os, 'sysconf_names', {}):  # not on Windows
    memory = min(memory, os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'))
  return int(max(min(len(cores()), processors, memory // MEMORY), 1))


def cores() -> list[int]:
  """The number of cores available to this process."""
  return sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else list(range(os.cpu_count() or 1))


def limits(root: Path = Path('/sys/fs/cgroup'), own: Path = Path('/proc/self/cgroup')) -> tuple[float, float]:
  """The limits of memory in bytes and of processors set by the control groups of this process; infinite without limits.

  A container sees the memory and processors of its host; its limits are set by its control group, or by a parent of it.

  Args:
    root: mount point of control groups, version 2 or 1.
    own: the file with the control groups of this process.
  """
  memory, processors = math.inf, math.inf
  try:
    lines = own.read_text().splitlines()
  except OSError:
    return memory, processors
  for line in lines:
    _, _, rest = line.partition(':')
    kinds, _, path = rest.partition(':')
    base = root if not kinds else next((root / name for name in (kinds, *kinds.split(',')) if (root / name).is_dir()), None)
    if base is None:
      continue
    below = base / path.strip('/')  # a container may see this as its root
    for group in (below, *below.parents):
      if not group.is_relative_to(base):
        break
      memory = min([memory, *_numbers(group / 'memory.max')[:1], *_numbers(group / 'memory.limit_in_bytes')[:1]])
      quota = _numbers(group / 'cpu.max') or _numbers(group / 'cpu.cfs_quota_us') + _numbers(group / 'cpu.cfs_period_us')
      if len(quota) == 2 and quota[0] > 0:
        processors = min(processors, quota[0] / quota[1])
  return memory, processors


def _numbers(path: Path) -> list[float]:
  """The numbers in a control group file, with `max` as infinity; empty if there is no such file."""
  try:
    return [math.inf if word == 'max' else float(word) for word in path.read_text().split()]
  except (OSError, ValueError):
    return []
