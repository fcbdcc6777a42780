"""Several processes, one run: how they find each other, stop together, and end when one is lost."""

import contextlib
import os
import sys
from collections.abc import Iterator
from threading import Event
from typing import Any

import jax
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

HEARTBEAT = 60  # seconds of silence after which a process counts as lost, and the others end


class Stopped(RuntimeError):
  """A run that ended early, and why; what it had is saved."""


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
  if count == 'auto' and any(given) or count != 'auto' and not all(given):
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


def is_first() -> bool:
  """Whether this is the process that writes logs, figures and pictures; checkpoints are written by all."""
  return jax.process_index() == 0


def stop_at(step: int, asked: Event) -> bool:
  """Whether to stop after this step: at once where this process is alone, else where all agreed to after a SIGTERM to any."""
  return asked.is_set() if jax.process_count() == 1 else multihost_utils.reached_preemption_sync_point(step)


def wait(name: str) -> None:
  """Waits until every process is here."""
  multihost_utils.sync_global_devices(name)


def local(tree: Any) -> Any:
  """Global arrays as arrays of this process alone; what is one process's already stays as it is."""
  if jax.process_count() == 1:
    return tree
  everywhere = jax.tree.map(lambda x: NamedSharding(x.sharding.mesh, PartitionSpec()), tree)
  whole = jax.jit(lambda tree: tree, out_shardings=everywhere)(tree)
  return jax.tree.map(lambda x: x.addressable_data(0), whole)
