"""Several processes: of one run, which find each other and end together; and of many runs, which share the cores."""

import contextlib
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import jax

from jssl.errors import Stopped

HEARTBEAT = 60  # seconds of silence after which a process counts as lost, and the others end
MEMORY = 3 << 30  # bytes that a process grows to over many runs of small networks, and some more


@contextlib.contextmanager
def joined(count: int | str, *, coordinator: str | None = None, process: int | None = None) -> Iterator[None]:
  """Makes this process one of several that run the same program; to be entered before anything touches a device.

  An error in one process ends it at once, and thereby the others, which wait for it.

  Args:
    count: of processes, or 'auto' where JAX finds out by itself: TPU pods, SLURM, Open MPI.
    coordinator: HOST:PORT of process 0, a free port that all can reach; with a count only.
    process: index of this one, 0 to count - 1; with a count only.

  Raises:
    ValueError: if the three do not fit together, or 'auto' finds no cluster.
  """
  given = (coordinator is not None, process is not None)
  if any(given) if count == 'auto' else not (all(given) and str(count).isdigit()):
    raise ValueError('give processes=auto alone (TPU pods, SLURM, Open MPI), or processes=N with coordinator=HOST:PORT and process=I')
  who = {} if count == 'auto' else dict(coordinator_address=coordinator, num_processes=int(count), process_id=process)
  try:
    jax.distributed.initialize(**who, heartbeat_timeout_seconds=HEARTBEAT)
  except ValueError as error:
    raise ValueError(f'the processes cannot be joined ({error}); elsewhere than on a TPU pod or under SLURM or Open MPI give '
                     'processes=N, coordinator=HOST:PORT and process=I') from error  # fmt: skip
  try:
    yield
  except Stopped:
    raise  # all stop at the same step
  except BaseException as error:
    # The others wait for this one in a collective, where they would hang while it waits for them at its exit.
    why = ' '.join(f'{type(error).__name__}: {error}'.split())
    if isinstance(error, jax.errors.JaxRuntimeError):
      why += '; where a process or the network was lost, the same commands, given again on all, go on from the last checkpoint'
    print(f'jssl: process {jax.process_index()} of {jax.process_count()} ends all: {why}', file=sys.stderr, flush=True)
    os._exit(2)


@contextlib.contextmanager
def workers(count: int, ready: Callable[[], None]) -> Iterator[Callable]:
  """A `map` whose calls are spread over processes with a share of the cores each; small networks do not fill two.

  An error, or an interruption, ends them all.

  Args:
    count: of processes; 1 for `map` itself, in this one.
    ready: is called in each of them first.
  """
  if count == 1:
    yield map
    return
  others = multiprocessing.active_children()
  context = multiprocessing.get_context('spawn')  # JAX has threads, which a fork does not take along
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
          child.kill()  # by terminate() a run would stop at its next step, and the next one begin
      raise


def _start(shares, ready: Callable[[], None]) -> None:
  if (share := shares.get()) and hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, share)  # JAX makes as many threads as it sees cores
  threading.Thread(target=_end_with_parent, daemon=True).start()
  ready()


def _end_with_parent() -> None:
  multiprocessing.parent_process().join()
  os._exit(2)


def at_once() -> int:
  """How many runs to do at a time: one a core, as far as memory goes, or one where there is an accelerator."""
  if jax.default_backend() != 'cpu':
    return 1
  if 'SC_PHYS_PAGES' not in getattr(os, 'sysconf_names', {}):  # Windows
    return len(cores())
  return max(min(len(cores()), os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // MEMORY), 1)


def cores() -> list[int]:
  """Those that this process may use."""
  return sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else list(range(os.cpu_count() or 1))
