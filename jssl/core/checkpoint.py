"""Checkpoints: the complete state of a run, saved in the background and restored bit for bit."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jssl.core.step import TrainState
from jssl.core.stored import fingerprint, quiet, short
from jssl.storage import children, for_orbax, make, remove, saved
from jssl.types import Batch

MANIFEST = 'manifest.ocdbt'  # the file that locates the arrays of a checkpoint
PARTIAL = '.orbax-checkpoint-tmp'  # in the name of a checkpoint that is being written


def open_checkpoints(directory: Path, keep: int | None = None, always: Sequence[int] = ()):
  """Opens the checkpoints under `directory`.

  With `keep`, opens them for a run that is in progress: the last `keep` checkpoints, those of the steps `always` and that of the highest figure
  are kept, and partial ones of a killed run are removed. A checkpoint is written under a temporary name and renamed when complete; only then
  is an older one removed. In a bucket, a checkpoint is valid once a marker file says that it is complete.
  """
  from orbax.checkpoint import v1 as ocp

  if keep:
    make(directory)  # an error should occur here, not in a thread of the writer
    for half in (folder for folder in children(directory) if PARTIAL in folder.name or not saved(folder)):
      logging.getLogger('jssl').warning('checkpoint %s is only half-written; it is left out', half.name.split('.')[0])
    _clear(directory)
  quiet()
  policies = ocp.training.preservation_policies
  best = policies.BestN(n=1, get_metric_fn=lambda metrics: metrics['figure'], keep_checkpoints_without_metrics=False)
  kept = policies.AnyPreservationPolicy([policies.LatestN(keep), policies.CustomSteps(list(always)), best]) if keep else None
  every = ocp.training.save_decision_policies.FixedIntervalPolicy(1)  # the loop decides when to save
  return ocp.training.Checkpointer(
    for_orbax(directory), preservation_policy=kept, save_decision_policy=every, cleanup_tmp_directories=bool(keep)
  )


def save(checkpoints, train: TrainState, source: dict, columns: Mapping[str, np.ndarray] | None = None, figure: float | None = None) -> None:
  """Saves in the background what `restore` needs: the arrays, the position of the source, and columns computed from the networks.
  With a figure, the checkpoint is kept until there is one with a higher figure.

  Raises:
    OSError: if this checkpoint, or the previous one, cannot be written.
  """
  state, text, columns = _plain(train), json.dumps(source), dict(columns or {})
  if train.step.sharding.mesh.devices.flat[0].platform == 'cpu':
    # The step donates its input, and the background writer reads CPU memory in place; accelerator memory is copied to the host first.
    state = jax.tree.map(jax.numpy.copy, state)
  told = {'json': text, 'sum': fingerprint((state, columns), text)}
  with _told(checkpoints):
    checkpoints.save_checkpointables_async(
      int(train.step),
      {'train': state, 'source': told, **({'columns': columns} if columns else {})},
      overwrite=True,  # there may be an unreadable checkpoint of this step
      metrics=None if figure is None else {'figure': figure},
    )  # fmt: skip


def finish(checkpoints, saved: int | None) -> None:
  """Waits for pending saves. Raises OSError if a save fails, or if the checkpoint of the step `saved` is then missing."""
  with _told(checkpoints):
    checkpoints.wait()
    if saved is not None and not (checkpoints.directory / str(saved) / 'train' / MANIFEST).exists():
      raise OSError(f'checkpoint {saved} was written and has no manifest')
    checkpoints.close()


def restore(checkpoints, start: Callable[[int], TrainState], step: int | None = None) -> tuple[TrainState, dict, dict[str, np.ndarray]] | None:
  """Restores the newest checkpoint, or that of `step`: the state, the position of the source, the columns computed from the networks. None
  without a checkpoint.

  An unreadable checkpoint is skipped with a warning, and the previous one is tried.

  Args:
    checkpoints: from `open_checkpoints`.
    start: step -> the abstract state after that many steps: shapes, types and shardings.

  Raises:
    ValueError: if there are checkpoints but none is readable.
  """
  there = sorted((c for c in checkpoints.checkpoints if step in (None, c.step)), key=lambda c: -c.step)
  for found in there:
    try:
      asked = start(found.step)
      want = jax.tree.map(
        lambda x, held: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=held.sharding), jax.eval_shape(_plain, asked), _fields(asked)
      )
      made = {'columns': None} if (checkpoints.directory / str(found.step) / 'columns').exists() else {}
      loaded = checkpoints.load_checkpointables(found.step, {'train': want, 'source': None, **made})
      columns = {name: np.asarray(x) for name, x in loaded.get('columns', {}).items()}
      text, told = loaded['source']['json'], loaded['source'].get('sum')
      if told and told != fingerprint((loaded['train'], columns), text):
        raise ValueError('its files are damaged')
      return _typed(loaded['train']), json.loads(text), columns
    except Exception as error:  # any kind of damage: an older checkpoint may be intact
      logging.getLogger('jssl').warning('checkpoint %s cannot be read (%s); trying the one before', found.step, short(error))
  if there:
    raise ValueError(f'none of the checkpoints in {checkpoints.directory} can be read; remove them to start anew')
  return None


def capture(directory: Path, train: TrainState, batch: Batch, keep: int) -> Path:
  """Saves a failed step for `jssl replay`: the state before it and its batch. Returns the folder."""
  captures = open_checkpoints(directory, keep)
  kept = {'train': _plain(train), 'batch': dict(batch)}
  with _told(captures):
    captures.save_checkpointables(int(train.step), {**kept, 'told': {'sum': fingerprint(kept)}}, overwrite=True)
    captures.close()
  return directory / str(int(train.step))


def captured(folder: Path, train: TrainState, batch: Batch, place: jax.sharding.Sharding) -> tuple[TrainState, Batch]:
  """Reads what `capture` saved in `folder`, in the shapes of `train` and `batch`.

  Raises:
    ValueError: if it cannot be read.
  """
  shapes = {'train': jax.eval_shape(_plain, train), 'batch': dict(batch)}
  want = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), shapes)
  try:
    made = {'told': None} if (folder / 'told').exists() else {}  # absent in captures of earlier versions
    found = open_checkpoints(folder.parent).load_checkpointables(int(folder.name), {**want, **made})
    if made and found.pop('told')['sum'] != fingerprint(found):
      raise ValueError('its files are damaged')
  except Exception as error:  # any kind of damage
    raise ValueError(f'{folder} holds no captured step that can be read ({short(error)})') from error
  return _typed(found['train']), found['batch']


def _clear(directory: Path, seconds: float = 5) -> None:
  """Removes partial checkpoints, waiting for the threads of a failed write in this process: they create files for a moment longer, and
  Orbax's own removal would fail on them, at the next save."""
  end, looks = time.monotonic() + seconds, 0
  while jax.process_index() == 0 and looks < 3 and time.monotonic() < end:
    partial = [folder for folder in children(directory) if PARTIAL in folder.name]
    if not partial and not looks:  # nothing failed here
      return
    looks = 1 if partial else looks + 1
    for folder in partial:
      with contextlib.suppress(OSError):  # a file was created in it meanwhile
        remove(folder)
    time.sleep(0.1)


@contextlib.contextmanager
def _told(checkpoints) -> Iterator[None]:
  try:
    yield
  except Exception as error:  # the writer raises errors of many types, which belong to an earlier call
    raise OSError(
      f'a checkpoint cannot be written to {checkpoints.directory} ({short(error)}); those before it are kept: make room or give '
      'write permission, and the same command goes on from them'
    ) from error


def _plain(train: TrainState) -> dict[str, Any]:
  return {**_fields(train), 'key': jax.random.key_data(train.key)}


def _fields(train: TrainState) -> dict[str, Any]:
  # A dict of turns, since tuples in a checkpoint are restored as lists.
  return {**train._asdict(), 'opt': {str(i): opt for i, opt in enumerate(train.opt)}}


def _typed(tree: dict[str, Any]) -> TrainState:
  opt = tuple(tree['opt'][str(i)] for i in range(len(tree['opt'])))
  return TrainState(**{**tree, 'opt': opt, 'key': jax.random.wrap_key_data(tree['key'])})
