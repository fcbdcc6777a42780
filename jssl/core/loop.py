"""The loop: source -> step -> log -> checkpoint. Nothing crosses to the host between two log points."""

import json
import math
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import NamedSharding, PartitionSpec

from jssl.core import checkpoint
from jssl.core.build import ConfigError, Plan
from jssl.core.log import Bar, Log
from jssl.core.mesh import BATCH, check_batch, make_mesh, shardings
from jssl.core.step import TrainState, init_state, make_step
from jssl.data.sources import GrainSource, to_device
from jssl.parts.schedules import duration
from jssl.types import Source


class Stopped(RuntimeError):
  """A run that ended early, and why; what it had is saved."""


def open_source(plan: Plan) -> Source:
  """The batches of a plan for this process: of its training split, or of what its data makes them from."""
  size, seed = plan.config['batch_size'], plan.config['seed']
  if plan.data.source:
    return plan.data.source(size, seed, plan.method.networks)
  return GrainSource(plan.data.splits['train'], size, seed=seed)


class Trained(NamedTuple):
  train: TrainState
  start: TrainState  # as it was before the first step: the random-initialisation baseline
  log: Log
  compiles: int
  seconds: float
  first_step: float  # seconds from the call to the end of the first step


def compile_run(plan: Plan, mesh: jax.sharding.Mesh) -> tuple[Callable, Any, Callable]:
  """The jitted initialisation, the abstract train state with its shardings, and the lowered step.

  The state's sharding is the same going in and coming out, so the step compiles once; the state is donated.
  """
  create = lambda: init_state(plan.method, plan.optimizer, jax.random.key(plan.config['seed']))
  shapes = jax.eval_shape(create)
  places = shardings(shapes, mesh, plan.config['rules'])
  abstract = jax.tree.map(lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), shapes, places)
  everywhere = NamedSharding(mesh, PartitionSpec())
  examples = NamedSharding(mesh, BATCH)
  batch = {name: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=examples) for name, x in plan.batch.items()}
  step = jax.jit(make_step(plan.method, plan.optimizer), donate_argnums=0, out_shardings=(places, everywhere))
  return jax.jit(create, out_shardings=places), abstract, step.lower(abstract, batch)


def run(
  plan: Plan,
  source: Source,
  *,
  workdir: Path | None = None,
  quiet: bool = False,
  health: Callable[[TrainState], dict[str, float]] | None = None,
  devices: list[jax.Device] | None = None,
  tensorboard: bool = False,
) -> Trained:
  """Trains to the end of the plan, from the newest checkpoint in `workdir` where there is one.

  Args:
    source: gives batches, and goes back to where a checkpoint was written.
    health: figures of the state that take more than a step's metrics; called every `health_every`.
  """
  began = time.perf_counter()
  c = plan.config
  mesh = make_mesh(c['mesh'], devices)
  check_batch(c['batch_size'], mesh, c['micro_batches'])
  every = {
    name: max(int(duration(c[name], steps=plan.steps, epoch=plan.epoch)), 1)
    for name in ('log_every', 'checkpoint_every', 'health_every')
  }
  with _Compiles() as compiles, jax.set_mesh(mesh):
    create, abstract, lowered = compile_run(plan, mesh)
    step = lowered.compile()
    examples = NamedSharding(mesh, BATCH)
    start = create()
    train, checkpoints = start, None
    if workdir:
      claim_workdir(workdir, c)
      checkpoints = checkpoint.open_checkpoints(workdir / 'checkpoints')
      if found := checkpoint.restore(checkpoints, start):
        train, position = found
        source.restore(position)
    done = first = int(train.step)
    train = jax.tree.map(jax.numpy.copy, train) if train is start else train  # the step donates; the start is kept
    log = Log(workdir, first, tensorboard)
    pending, first_step = None, 0.0

    def flush():
      at, metrics = pending
      figures = {name: float(x) for name, x in jax.device_get(metrics).items()}
      with jax.transfer_guard('allow'):
        rate = float(plan.learning_rate(at - 1))
      if not math.isfinite(figures['loss']):
        raise Stopped(
          f'the loss is {figures["loss"]} at step {at} of {plan.steps}; lower the learning rate or clip gradients '
          '(optimizer.clip=1.0)' + ('; the checkpoints before it are kept' if checkpoints else '')
        )
      log.write(at, {**figures, 'learning_rate': rate, **bar.show(at, figures['loss'])})

    with _Signal() as asked, Bar(plan.steps, first, examples=c['batch_size'], quiet=quiet) as bar, jax.transfer_guard('disallow'):
      while done < plan.steps:
        waiting = time.perf_counter()
        batch = to_device(source.next(train), examples)
        bar.waited += time.perf_counter() - waiting
        train, metrics = step(train, batch)
        done += 1
        if pending:  # written one step late: by now the device has it, and has the next step to work on
          flush()
          pending = None
        if not first_step:
          jax.block_until_ready(train.step)
          first_step = time.perf_counter() - began
        last = done == plan.steps
        if done % every['log_every'] == 0 or last:
          pending = (done, metrics)
        if health and (done % every['health_every'] == 0 or last):
          with jax.transfer_guard('allow'):
            log.write(done, {f'health/{name}': x for name, x in health(train).items()})
        if checkpoints and (done % every['checkpoint_every'] == 0 or last or asked.is_set()):
          with jax.transfer_guard('allow'):
            checkpoint.save(checkpoints, train, source.save())
        if asked.is_set() and not last:
          if checkpoints:
            checkpoints.close()
          raise Stopped(f'stopped at step {done} of {plan.steps} as asked; the same command with its --workdir goes on')
      if pending:
        flush()
    if checkpoints:
      checkpoints.close()
    log.finish()
  return Trained(train, start, log, compiles.count, time.perf_counter() - began, first_step)


class _Signal:
  """Turns SIGTERM, which comes before a machine is taken away, into a flag that the loop looks at."""

  def __enter__(self) -> threading.Event:
    self.asked = threading.Event()
    self.main = threading.current_thread() is threading.main_thread()
    if self.main:
      self.before = signal.signal(signal.SIGTERM, lambda *_: self.asked.set())
    return self.asked

  def __exit__(self, *_):
    if self.main:
      signal.signal(signal.SIGTERM, self.before)


class _Compiles:
  """Counts the compilations of the step by JAX's own events, cached ones included."""

  count = 0

  def __enter__(self) -> '_Compiles':
    jax.monitoring.register_event_duration_secs_listener(self._heard)
    return self

  def _heard(self, event: str, seconds: float, **about):
    del seconds
    self.count += event.endswith('backend_compile_duration') and about.get('fun_name') == 'jit(step)'

  def __exit__(self, *_):
    jax.monitoring.unregister_event_duration_listener(self._heard)


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
      path.write_text(text)
  except (OSError, json.JSONDecodeError) as error:
    raise ConfigError(f'{workdir} cannot be used as a workdir ({error}); give one that can be read and written') from error
