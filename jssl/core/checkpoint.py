"""Checkpoints: everything that a run is made of, saved while it goes on and put back to the bit."""

import json
import logging
from pathlib import Path
from typing import Any

import jax

from jssl.core.step import TrainState


def open_checkpoints(directory: Path, keep: int = 2):
  """The checkpoints under `directory`, of which the last `keep` are kept."""
  from orbax.checkpoint import v1 as ocp

  policy = ocp.training.preservation_policies.LatestN(keep)
  always = ocp.training.save_decision_policies.FixedIntervalPolicy(1)  # the loop decides when
  return ocp.training.Checkpointer(directory.absolute(), preservation_policy=policy, save_decision_policy=always)


def save(checkpoints, train: TrainState, source: dict) -> None:
  """Saves in the background what `restore` needs: the arrays, and where the source stands."""
  # Copies, because the step donates its input while the background writer still reads it.
  checkpoints.save_checkpointables_async(
    int(train.step), {'train': jax.tree.map(jax.numpy.copy, _plain(train)), 'source': {'json': json.dumps(source)}},
    overwrite=True,  # one that could not be read may stand at this step
  )


def restore(checkpoints, train: TrainState) -> tuple[TrainState, dict] | None:
  """The newest checkpoint in the shapes and shardings of `train`, and the source's state; None where there is none.

  A checkpoint that cannot be read is passed over with a warning, and the one before it is tried.

  Raises:
    ValueError: if there are checkpoints and none can be read.
  """
  abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), _plain(train))
  there = sorted(checkpoints.checkpoints, key=lambda c: -c.step)
  for found in there:
    try:
      loaded = checkpoints.load_checkpointables(found.step, {'train': abstract, 'source': None})
      return _typed(loaded['train']), json.loads(loaded['source']['json'])
    except Exception as error:  # any damage at all: what matters is that an older one may be whole
      why = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
      logging.getLogger('jssl').warning('checkpoint %s cannot be read (%s); trying the one before', found.step, why)
  if there:
    raise ValueError(f'none of the checkpoints in {checkpoints.directory} can be read; remove them to start anew')
  return None


def _plain(train: TrainState) -> dict[str, Any]:
  return {**train._asdict(), 'key': jax.random.key_data(train.key)}


def _typed(tree: dict[str, Any]) -> TrainState:
  return TrainState(**{**tree, 'key': jax.random.wrap_key_data(tree['key'])})
