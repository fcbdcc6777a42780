"""Checkpoints: everything that a run is made of, saved while it goes on and put back to the bit."""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from jssl.core.step import TrainState
from jssl.types import Batch


def open_checkpoints(directory: Path, keep: int | None = None):
  """The checkpoints under `directory`.

  With `keep` they are those of a run that goes on: the last `keep` stay, and what a killed run left half-written is removed.
  A checkpoint is written beside its place and renamed when whole, and an older one is removed after that.
  """
  from orbax.checkpoint import v1 as ocp

  if keep:
    for half in sorted(directory.glob('*.orbax-checkpoint-tmp*')):
      logging.getLogger('jssl').warning('checkpoint %s is only half-written; it is left out', half.name.split('.')[0])
  always = ocp.training.save_decision_policies.FixedIntervalPolicy(1)  # the loop decides when
  last = ocp.training.preservation_policies.LatestN(keep) if keep else None
  return ocp.training.Checkpointer(
    directory.absolute(), preservation_policy=last, save_decision_policy=always, cleanup_tmp_directories=bool(keep)
  )


def save(checkpoints, train: TrainState, source: dict) -> None:
  """Saves in the background what `restore` needs: the arrays, and where the source stands.

  Raises:
    OSError: if this checkpoint, or the one before it, cannot be written.
  """
  # Copies, because the step donates its input while the background writer still reads it.
  state = jax.tree.map(jax.numpy.copy, _plain(train))
  with _told(checkpoints):
    checkpoints.save_checkpointables_async(
      int(train.step), {'train': state, 'source': {'json': json.dumps(source)}},
      overwrite=True,  # one that could not be read may stand at this step
    )  # fmt: skip


def finish(checkpoints) -> None:
  """Waits until what is being saved is saved; OSError if it cannot be."""
  with _told(checkpoints):
    checkpoints.close()


def restore(checkpoints, train: TrainState) -> tuple[TrainState, dict] | None:
  """The newest checkpoint in the shapes and shardings of `train`, and the source's state; None where there is none.

  A checkpoint that cannot be read is passed over with a warning, and the one before it is tried.

  Raises:
    ValueError: if there are checkpoints and none can be read.
  """
  want = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), _plain(train))
  there = sorted(checkpoints.checkpoints, key=lambda c: -c.step)
  for found in there:
    try:
      loaded = checkpoints.load_checkpointables(found.step, {'train': want, 'source': None})
      return _typed(loaded['train']), json.loads(loaded['source']['json'])
    except Exception as error:  # any damage at all: what matters is that an older one may be whole
      logging.getLogger('jssl').warning('checkpoint %s cannot be read (%s); trying the one before', found.step, _line(error))
  if there:
    raise ValueError(f'none of the checkpoints in {checkpoints.directory} can be read; remove them to start anew')
  return None


def capture(directory: Path, train: TrainState, batch: Batch, keep: int) -> Path:
  """Keeps a step that went wrong: the state before it and its batch, for `jssl replay`. Returns the folder."""
  captures = open_checkpoints(directory, keep)
  with _told(captures):
    captures.save_checkpointables(int(train.step), {'train': _plain(train), 'batch': dict(batch)}, overwrite=True)
    captures.close()
  return directory / str(int(train.step))


def captured(folder: Path, train: TrainState, batch: Batch, place: jax.sharding.Sharding) -> tuple[TrainState, Batch]:
  """What `capture` kept in `folder`, in the shapes of `train` and `batch`.

  Raises:
    ValueError: if it cannot be read.
  """
  shapes = {'train': jax.eval_shape(_plain, train), 'batch': dict(batch)}
  want = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), shapes)
  try:
    found = open_checkpoints(folder.parent).load_checkpointables(int(folder.name), want)
  except Exception as error:  # any damage at all
    raise ValueError(f'{folder} holds no captured step that can be read ({_line(error)})') from error
  return _typed(found['train']), found['batch']


@contextlib.contextmanager
def _told(checkpoints) -> Iterator[None]:
  try:
    yield
  except Exception as error:  # the writer's errors are of many types, and come from an earlier call
    raise OSError(
      f'a checkpoint cannot be written to {checkpoints.directory} ({_line(error)}); those before it are kept: make room or give '
      'write permission, and the same command goes on from them'
    ) from error


def _line(error: Exception) -> str:
  text = ' '.join(str(error).split())
  for known in ('No space left on device', 'Read-only file system', 'Permission denied'):
    if known in text:
      return known
  return text[:200] or type(error).__name__


def _plain(train: TrainState) -> dict[str, Any]:
  return {**train._asdict(), 'key': jax.random.key_data(train.key)}


def _typed(tree: dict[str, Any]) -> TrainState:
  return TrainState(**{**tree, 'key': jax.random.wrap_key_data(tree['key'])})
