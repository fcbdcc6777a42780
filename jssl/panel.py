"""The health panel of a run: what its representation looks like while it trains."""

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
  """The health panel of (phase, train state, batch): its features, and what its losses compare."""

  @partial(jax.jit, static_argnums=0)
  def look(phase: int, state: TrainState, batch):
    method, first = p.phases[phase].turns[0].method, p.phases[phase].first
    data = p.phases[phase].data
    one = {name: batch[name][:, 0] if name in data.info.get('drawn', ()) else batch[name] for name in data.spec}  # of crops the first
    features = method.represent(state.params, state.state, one).pooled
    return measured(features, **method.watch(state.params, state.state, batch, state.key, state.step - first))

  def panel(phase: int, state: TrainState, batch) -> dict[str, float]:
    # Every process holds its part of the batch, so it is put together on the mesh that the state is on, and what it gives is gathered.
    batch = to_device(batch, NamedSharding(state.step.sharding.mesh, BATCH))
    return ranked(*multihost_utils.process_allgather(look(phase, state, batch), tiled=True))

  return panel


def alarms(figures: Mapping[str, float]) -> list[str]:
  """What the newest figures of a log warn of."""
  return alarm({name.rsplit('/', 1)[-1]: float('nan') if x is None else x for name, x in figures.items()})
