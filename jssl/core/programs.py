"""The compiled programs of a plan: the initialisation, the entry into each phase, and a step for each turn of each phase."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jssl.core.build import Plan
from jssl.core.mesh import BATCH, shardings
from jssl.core.step import TrainState, enter, init_state, make_step
from jssl.devices.operations import operations
from jssl.devices.usage import check_fits
from jssl.parts.schedules import duration
from jssl.types import Given
from jssl.weights import bare


class Programs:
  """The compiled programs of a plan on a mesh: the initialisation, the entry into each phase, and a step for each turn of each phase.

  Each program is compiled on first use and serves every seed. A step's input and output states have the same sharding, so a step compiles once;
  the state is donated.
  """

  def __init__(self, plan: Plan, mesh: jax.sharding.Mesh):
    self._plan, self.mesh, self._steps, self._enter = plan, mesh, {}, {}
    self.operations: dict[tuple[int, int], float] = {}  # (phase, turn) -> operations of a compiled step, on all devices together
    create = lambda seed, given=None: init_state(plan.phases[0], jax.random.wrap_key_data(seed), given)
    self.states = [
      self._placed(jax.eval_shape(create, jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0)))))
    ]  # abstract states, one per phase
    for phase in plan.phases[1:]:
      self.states.append(self._placed(jax.eval_shape(partial(enter, phase), self.states[-1])))
    self.create = jax.jit(create, out_shardings=self._places(0), compiler_options=quick(mesh))

  def _placed(self, shapes: Any) -> Any:
    places = shardings(shapes, self.mesh, self._plan.config['rules'])
    return jax.tree.map(lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), shapes, places)

  def _places(self, phase: int) -> Any:
    return jax.tree.map(lambda x: x.sharding, self.states[phase])

  def start(self, seed: np.ndarray, given: Given | None = None) -> TrainState:
    """The state at the start of a run, with the given networks, if any."""
    return self.create(seed, self._spread(0, given))

  def _spread(self, phase: int, given: Given | None) -> Given | None:
    """Places given arrays like those of the state, so that no device holds all of them."""
    whole = NamedSharding(self.mesh, PartitionSpec())
    place = lambda x, like: jax.device_put(x, like.sharding if x.shape == like.shape else whole)
    of = (self.states[phase].params, self.states[phase].state['stats'])
    return given and tuple(jax.tree.map(place, x, {name: bare(like[name]) for name in x}) for x, like in zip(given, of, strict=True))

  def enter(self, phase: int, train: TrainState, given: Given | None = None) -> TrainState:
    """The state at the start of a phase, from that at the end of the previous phase."""
    if phase not in self._enter:
      begin = partial(enter, self._plan.phases[phase])
      self._enter[phase] = jax.jit(begin, out_shardings=self._places(phase), compiler_options=quick(self.mesh))
    return self._enter[phase](train, self._spread(phase, given))

  def trace(self, phase: int = 0, turn: int = 0):
    """Traces the step of a turn."""
    p, everywhere, examples = self._plan, NamedSharding(self.mesh, PartitionSpec()), NamedSharding(self.mesh, BATCH)
    batch = {name: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=examples) for name, x in p.phases[phase].batch.items()}
    every = max(int(duration(p.config['log_every'], steps=p.steps, epoch=p.epoch)), 1) if p.config['log_gradients'] else 0
    step = make_step(p.phases[phase], turn, p.guard, every)
    return jax.jit(step, donate_argnums=0, out_shardings=(self._places(phase), everywhere)).trace(self.states[phase], batch)

  def step(self, phase: int, turn: int) -> Callable:
    """The compiled step of a turn."""
    if (phase, turn) not in self._steps:
      traced = self.trace(phase, turn)
      self._steps[phase, turn], self.operations[phase, turn] = traced.lower().compile(), operations(traced.jaxpr).model
      check_fits(self._steps[phase, turn], self.mesh, self._plan.config['batch_size'])
    return self._steps[phase, turn]


def seed_data(plan: Plan) -> np.ndarray:
  """The seed of a plan as an argument of the initialisation, so that all seeds share a program."""
  return jax.device_get(jax.random.key_data(jax.random.key(plan.config['seed'])))


def quick(mesh: jax.sharding.Mesh) -> dict[str, int] | None:
  """Compiler options for programs that run once: the same bits in half the compile time on CPUs. A level set in XLA_FLAGS is kept."""
  level = 'xla_backend_optimization_level'
  return {level: 1} if mesh.devices.flat[0].platform == 'cpu' and level not in os.environ.get('XLA_FLAGS', '') else None
