"""Checkpoints: everything that a run is made of, saved while it goes on and put back to the bit."""

import json
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


def save(checkpoints, train: TrainState, source: dict, *, wait: bool = False) -> None:
  """Saves in the background what `restore` needs: the arrays, and where the source stands."""
  # Copies, because the step donates its input while the background writer still reads it.
  checkpoints.save_checkpointables_async(
    int(train.step), {'train': jax.tree.map(jax.numpy.copy, _plain(train)), 'source': {'json': json.dumps(source)}}
  )
  if wait:
    checkpoints.wait()


def restore(checkpoints, train: TrainState) -> tuple[TrainState, dict] | None:
  """The newest checkpoint in the shapes and shardings of `train`, and the source's state; None where there is none.

  A checkpoint that cannot be read is passed over with a warning, and the one before it is tried.
  """
  import logging

  # The key is left as its words: restored with the sharding of the state it replaces.
  abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), _plain(train))
  for found in sorted(checkpoints.checkpoints, key=lambda c: -c.step):
    try:
      loaded = checkpoints.load_checkpointables(found.step, {'train': abstract, 'source': None})
      return _typed(loaded['train']), json.loads(loaded['source']['json'])
    except Exception as error:  # any damage at all: what matters is that an older one may be whole
      logging.getLogger('jssl').warning('checkpoint %s cannot be read (%s); trying the one before', found.step, error)
  return None


def _plain(train: TrainState) -> dict[str, Any]:
  return {**train._asdict(), 'key': jax.random.key_data(train.key)}


def _typed(tree: dict[str, Any]) -> TrainState:
  return TrainState(**{**tree, 'key': jax.random.wrap_key_data(tree['key'])})
