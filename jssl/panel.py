"""The health panel of a run: diagnostics of its representation during training."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding

from jssl.core.build import Plan
from jssl.core.mesh import BATCH
from jssl.core.step import TrainState
from jssl.data.core.sources import to_device
from jssl.metrics.health import alarm, measured, ranked


def make_panel(p: Plan) -> Callable[[int, TrainState, Mapping[str, Any]], dict[str, float]]:
  """Makes the health panel, a function of (phase, train state, batch), from the features and the compared outputs of the losses."""

  @partial(jax.jit, static_argnums=0)
  def look(phase: int, state: TrainState, batch):
    method, first = p.phases[phase].turns[0].method, p.phases[phase].first
    data = p.phases[phase].data
    one = {name: batch[name][:, 0] if name in data.info.get('drawn', ()) else batch[name] for name in data.spec}  # of crops the first
    features = method.represent(state.params, state.state, one).pooled
    return measured(features, **method.watch(state.params, state.state, batch, state.key, state.step - first))

  def panel(phase: int, state: TrainState, batch) -> dict[str, float]:
    # Every process holds its part of the batch, so the batch is assembled on the mesh of the state, and the results are gathered.
    batch = to_device(batch, NamedSharding(state.step.sharding.mesh, BATCH))
    return ranked(*multihost_utils.process_allgather(look(phase, state, batch), tiled=True))

  return panel


def alarms(figures: Mapping[str, float]) -> list[str]:
  """The warnings for the latest metrics of a log."""
  return alarm({name.rsplit('/', 1)[-1]: float('nan') if x is None else x for name, x in figures.items()})
