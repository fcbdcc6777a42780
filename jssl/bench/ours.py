"""Training iterations of jssl as a run does them: input, views, losses and optimiser."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

from jssl.adapt import adapt
from jssl.bench.served import Trainer
from jssl.core.build import plan
from jssl.core.loop import open_source
from jssl.core.mesh import BATCH, make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.data.core.sources import to_device

SIDE = 1024  # of the square matrices whose product shows what the machine can do


def prepare(config: Any) -> Trainer:
  """The first phase of a system."""
  adapt(config)
  p = plan(config)
  mesh = make_mesh(p.config['mesh'])
  with jax.set_mesh(mesh):
    programs = Programs(p, mesh)
    step, held = programs.step(0, 0), [programs.start(seed_data(p))]
  source, place = open_source(p), NamedSharding(mesh, BATCH)

  def run(iterations: int) -> None:
    for _ in range(iterations):
      held[0], metrics = step(held[0], to_device(source.next(held[0]), place))
    jax.block_until_ready((held[0], metrics))

  m = step.memory_analysis()
  return Trainer(
    run,
    {
      'parameters': sum(x.size for x in jax.tree.leaves(held[0].params)),
      'operations': programs.operations[0, 0],
      'temporary_bytes': m.temp_size_in_bytes,
      'argument_bytes': m.argument_size_in_bytes,
    },
  )


def matrix_product(config: Any) -> Trainer:
  """Products of square matrices, to compare the operations a second of a step with."""
  del config
  x = jnp.ones((SIDE, SIDE))
  product = jax.jit(lambda x: (x @ x) / SIDE)

  def run(iterations: int) -> None:
    y = x
    for _ in range(iterations):
      y = product(y)
    jax.block_until_ready(y)

  return Trainer(run, {'operations': 2 * SIDE**3})
