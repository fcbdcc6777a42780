"""The loop: source -> step -> log -> checkpoint. Nothing crosses to the host between two log points."""

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from jssl.core import checkpoint
from jssl.core.build import Plan
from jssl.core.log import Log, replace
from jssl.core.mesh import BATCH, check_batch, make_mesh, shardings, share
from jssl.core.step import TrainState, init_state, make_step
from jssl.data.sources import GrainSource, to_device
from jssl.options import ConfigError
from jssl.parts.progress import Bar
from jssl.parts.schedules import duration
from jssl.parts.watch import Asked, Compiles
from jssl.types import Source


class Stopped(RuntimeError):
  """A run that ended early, and why; what it had is saved."""


def open_source(plan: Plan) -> Source:
  """The batches of a plan for this process: of its training split, or of what its data makes them from."""
  size, seed = plan.config['batch_size'], plan.config['seed']
  rows = share(size, make_mesh(plan.config['mesh'])) if jax.process_count() > 1 else None
  if plan.data.source:
    return plan.data.source(size, seed, plan.method.networks, rows)
  return GrainSource(plan.data.splits['train'], size, seed=seed, rows=rows)


class Trained(NamedTuple):
  train: TrainState
  start: TrainState  # as it was before the first step: the random-initialisation baseline
  log: Log
  compiles: int
  seconds: float
  first_step: float  # seconds from the call to the end of the first step
  program: tuple[Callable, Callable]  # the initialisation and the step, for a run of the same plan with another seed


def compile_run(plan: Plan, mesh: jax.sharding.Mesh) -> tuple[Callable, Any, Callable]:
  """The jitted initialisation from a seed, the abstract train state with its shardings, and the lowered step.

  The state's sharding is the same going in and coming out, so the step compiles once; the state is donated.
  """
  create = lambda seed: init_state(plan.method, plan.optimizer, jax.random.wrap_key_data(seed))
  shapes = jax.eval_shape(create, seed_data(plan))
  places = shardings(shapes, mesh, plan.config['rules'])
  abstract = jax.tree.map(lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), shapes, places)
  everywhere = NamedSharding(mesh, PartitionSpec())
  examples = NamedSharding(mesh, BATCH)
  batch = {name: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=examples) for name, x in plan.batch.items()}
  step = jax.jit(make_step(plan.method, plan.optimizer, plan.guard), donate_argnums=0, out_shardings=(places, everywhere))
  return jax.jit(create, out_shardings=places, compiler_options=quick(mesh)), abstract, step.lower(abstract, batch)


def seed_data(plan: Plan) -> np.ndarray:
  """The seed of a plan as the initialisation takes it: an argument, so that all seeds share a program."""
  return jax.device_get(jax.random.key_data(jax.random.key(plan.config['seed'])))


def quick(mesh: jax.sharding.Mesh) -> dict[str, int] | None:
  """Options to compile what runs once: the same bits in half the time on CPUs. A level asked for in XLA_FLAGS stands."""
  level = 'xla_backend_optimization_level'
  return {level: 1} if mesh.devices.flat[0].platform == 'cpu' and level not in os.environ.get('XLA_FLAGS', '') else None


def run(
  plan: Plan,
  source: Source,
  *,
  workdir: Path | None = None,
  quiet: bool = False,
  health: Callable[[TrainState], dict[str, float]] | None = None,
  alarm: Callable[[dict[str, float]], list[str]] = lambda figures: [],
  devices: list[jax.Device] | None = None,
  tensorboard: bool = False,
  program: tuple[Callable, Callable] | None = None,
) -> Trained:
  """Trains to the end of the plan, from the newest checkpoint in `workdir` where there is one.

  Args:
    source: gives batches, and goes back to where a checkpoint was written.
    health: figures of the state that take more than a step's metrics; called every `health_every`.
    alarm: what those figures warn of.
    program: of an earlier run of this plan, with whatever seed, on the same devices; None to compile it.

  Raises:
    Stopped: the run was asked to end, or its guard ended it.
    OSError: the workdir cannot be written any more.
  """
  began = time.perf_counter()
  c, guard, lead = plan.config, plan.guard, jax.process_index() == 0  # of several processes one writes, but for checkpoints
  mesh = make_mesh(c['mesh'], devices)
  check_batch(c['batch_size'], mesh, c['micro_batches'])
  every = {
    name: max(int(duration(c[name], steps=plan.steps, epoch=plan.epoch)), 1)
    for name in ('log_every', 'checkpoint_every', 'health_every')
  }
  with Compiles() as compiles, contextlib.ExitStack() as closing, jax.set_mesh(mesh):
    if not program:
      create, _, lowered = compile_run(plan, mesh)
      program = create, lowered.compile()
    create, step = program
    examples = NamedSharding(mesh, BATCH)
    start = create(seed_data(plan))
    train, checkpoints = start, None
    if workdir:
      if lead:
        claim_workdir(workdir, c)
      multihost_utils.sync_global_devices('workdir')
      checkpoints = checkpoint.open_checkpoints(workdir / 'checkpoints', c['keep'])
      closing.callback(checkpoint.finish, checkpoints)  # however the run ends, what it was saving is saved
      if found := checkpoint.restore(checkpoints, start):
        train, position = found
        source.restore(position)
    done = first = int(train.step)
    train = jax.tree.map(jax.numpy.copy, train) if train is start else train  # the step donates; the start is kept
    log = Log(workdir if lead else None, first, tensorboard)
    pending, alarmed, first_step = None, 0, 0.0
    recent = {}  # step -> batch, where batches cannot be made again

    def flush():
      """Writes the figures that wait to be; whether the guard has halted the run by then."""
      nonlocal pending, recent
      if not pending:
        return False
      (at, metrics), pending = pending, None
      figures = {name: float(x) for name, x in jax.device_get(metrics).items()}
      if figures.pop('guard/halted', 0):
        return True
      recent = {n: batch for n, batch in recent.items() if n >= at}
      with jax.transfer_guard('allow'):
        rate = float(plan.learning_rate(at - 1))
      log.write(at, {**figures, 'learning_rate': rate, **bar.show(at, figures['loss'])})
      return False

    def halt() -> TrainState:
      """Keeps the step that halted the run; then the state to go on from, where the guard returns to one."""
      at, (loss, norm), mean = int(train.step), *jax.device_get((train.guard['last_bad'], train.guard['mean']))
      why = (
        f'at step {at} of {plan.steps} the loss is {loss:.4g} and the norm of its gradient {norm:.4g}, where {mean[0]:.4g} and '
        f'{mean[1]:.4g} are usual'
      )
      if workdir:
        batch = to_device(recent[at] if recent else source.batch(source.save()['batches'] - (done - at)), examples)
        why += f'; `jssl replay {checkpoint.capture(workdir / "captures", train, batch, c["keep"])}` looks into that step'
      returned = int(train.guard['returned'])
      if returned >= guard.returns:
        raise Stopped(
          f'{why}; lower the learning rate or clip gradients (optimizer.clip=1.0)'
          + ('; the checkpoints before it are kept' if checkpoints else '')
        )
      if checkpoints:
        checkpoints.wait()
      back = checkpoint.restore(checkpoints, start) if checkpoints else None
      back = back[0] if back else jax.tree.map(jax.numpy.copy, start)
      # The source stays where it is: the batches that led here are passed over.
      log.rewind(int(back.step))
      logging.getLogger('jssl').warning('%s; back to step %d, return %d of %d', why, back.step, returned + 1, guard.returns)
      count = jax.device_put(np.int32(returned + 1), back.guard['returned'].sharding)
      return back._replace(guard={**back.guard, 'returned': count})

    def look() -> None:
      """Writes the health panel and what it warns of."""
      nonlocal alarmed
      figures = health(train)
      warnings = alarm(figures)
      log.write(done, {**{f'health/{name}': x for name, x in figures.items()}, 'health/alarms': len(warnings)})
      for line in warnings:
        logging.getLogger('jssl').warning('collapse alarm at step %d: %s', done, line)
      alarmed = alarmed + 1 if warnings else 0
      if guard and guard.collapse and alarmed >= guard.collapse:
        raise Stopped(f'{alarmed} health panels in a row raise the collapse alarm at step {done}: {"; ".join(warnings)}')

    bar = Bar(plan.steps, first, examples=c['batch_size'], quiet=quiet or not lead)
    with Asked() as asked, bar, jax.transfer_guard('disallow'):
      while done < plan.steps:
        waiting = time.perf_counter()
        given = source.next(train)
        if plan.data.source and guard:
          recent[done] = given
        batch = to_device(given, examples)
        bar.waited += time.perf_counter() - waiting
        train, metrics = step(train, batch)
        done += 1
        halted = flush()  # one step late: by now the device has the figures, and has the next step to work on
        if not first_step:
          jax.block_until_ready(train.step)
          first_step = time.perf_counter() - began
        last = done == plan.steps
        stop = asked(done) and not last
        saving = checkpoints and (last or stop or done % every['checkpoint_every'] == 0)
        looking = health and (last or done % every['health_every'] == 0)
        if done % every['log_every'] == 0 or last:
          pending = (done, metrics)
        pausing = saving or looking or last or stop
        if guard and pausing:
          halted = halted or bool(jax.device_get(metrics['guard/halted']))
        if halted:
          pending = None
          with jax.transfer_guard('allow'):
            train = halt()
          done = int(train.step)
          continue
        if pausing:
          flush()
        with jax.transfer_guard('allow'):
          if looking:
            look()
          if saving:
            checkpoint.save(checkpoints, train, source.save())
        if stop:
          raise Stopped(f'stopped at step {done} of {plan.steps} as asked; the same command with its --workdir goes on')
    log.finish()
  train, start = _local((train, start))
  return Trained(train, start, log, compiles.count, time.perf_counter() - began, first_step, program)


def _local(tree: Any) -> Any:
  """Arrays that are spread over several processes, whole on this one."""
  if jax.process_count() == 1:
    return tree
  everywhere = jax.tree.map(lambda x: NamedSharding(x.sharding.mesh, PartitionSpec()), tree)
  whole = jax.jit(lambda tree: tree, out_shardings=everywhere)(tree)
  return jax.tree.map(lambda x: x.addressable_data(0), whole)


def claim_workdir(workdir: Path, config: dict[str, Any]) -> None:
  """Makes the workdir this run's own, or finds that it is.

  Raises:
    ConfigError: if it cannot be written, or holds a run of another config.
  """
  path = workdir / 'config.json'
  text = json.dumps(config, indent=1, sort_keys=True, default=str)
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    if path.exists():
      held, given = json.loads(path.read_text()), json.loads(text)
      if differ := sorted(k for k in {*held, *given} if held.get(k) != given.get(k)):
        raise ConfigError(
          f'{workdir} holds a run of another config (differing in {", ".join(differ)}); '
          'give another --workdir, or the same config to resume it'
        )
    else:
      replace(path, text)
  except (OSError, json.JSONDecodeError) as error:
    raise ConfigError(f'{workdir} cannot be used as a workdir ({error}); give one that can be read and written') from error
