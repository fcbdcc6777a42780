"""The training loop: source -> step -> log -> checkpoint. No data moves to the host between two log points."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from jssl.core import checkpoint
from jssl.core.agreement import agree
from jssl.core.build import Plan
from jssl.core.log import Log
from jssl.core.mesh import BATCH, check_batch, make_mesh, share
from jssl.core.ownership import claim_workdir
from jssl.core.phases import Phase, phase_at
from jssl.core.programs import Programs, seed_data
from jssl.core.step import TrainState
from jssl.data.core.sources import GrainSource, to_device
from jssl.devices.usage import Profiler, usage
from jssl.errors import Stopped
from jssl.ops.rows import over_devices
from jssl.parts.schedules import duration
from jssl.progress import Bar
from jssl.signals import Compiles, StopSignal
from jssl.types import Batch, Given, Source, salted


def open_source(plan: Plan, phase: Phase | None = None) -> Source:
  """Opens this process's batches for a phase, by default the first: from its training split, or from the source that its data defines."""
  phase = phase or plan.phases[0]
  size, seed = plan.config['batch_size'], plan.config['seed']
  rows = share(size, make_mesh(plan.config['mesh'])) if jax.process_count() > 1 else None
  if phase.data.source:
    return phase.data.source(size, seed, phase.turns[0].method.networks, rows)
  ways = {name: plan.config['source'][name] for name in ('threads', 'workers', 'prefetch', 'memory', 'decoders')}
  return GrainSource(phase.data.splits['train'], size, seed=seed, rows=rows, **ways)


class Trained(NamedTuple):
  """The result of a finished run."""

  train: TrainState
  log: Log
  compiles: int
  seconds: float
  first_step: float  # seconds from the call to the end of the first step
  programs: Programs  # for a run of the same plan with another seed
  seed: np.ndarray
  given: Given | None  # the networks that it was started with

  @property
  def start(self) -> TrainState:
    """The state before the first step, computed again."""
    return _judged(self.programs.start(self.seed, self.given))

  @property
  def untrained(self) -> TrainState:
    """The state with untrained networks; equals `start` unless that was given networks."""
    return _judged(self.programs.start(self.seed))


def run(
  plan: Plan,
  source: Source,
  *,
  workdir: Path | None = None,
  quiet: bool = False,
  health: Callable[[int, TrainState, Batch], dict[str, float]] | None = None,
  alarm: Callable[[dict[str, float]], list[str]] = lambda figures: [],
  curves: Callable[[TrainState, Log, Callable[[str], None]], float | None] | None = None,
  devices: list[jax.Device] | None = None,
  watch: Sequence[Callable[[list[dict]], None]] = (),
  ready: Callable[[], None] = lambda: None,
  programs: Programs | None = None,
  take_over: bool = False,
  given: Mapping[int, Given] | None = None,
  profile: tuple[int, int] | None = None,
) -> Trained:
  """Trains to the end of the plan, resuming from the newest checkpoint in `workdir` if there is one.

  Args:
    source: yields batches, and can be reset to the position stored in a checkpoint.
    health: (phase, state, the first batch of the source) -> diagnostics that cost more than a step's metrics; called every `health_every`.
    alarm: returns warnings for these diagnostics.
    curves: (state, log, say) -> a figure if it is the highest so far, to keep the checkpoint; called at step 0 and every `evaluate_every`.
    ready: called when the run has its workdir, before anything is computed.
    watch: called in process 0 with all rows of the log whenever they change.
    programs: compiled programs of an earlier run of this plan, with any seed, on the same devices; None to compile them.
    take_over: take the workdir over from another run that uses it.
    given: phase -> initial networks, for a plan that starts from the networks of another run.
    profile: (first, last): the steps after `first`, up to `last`, are traced by JAX's profiler into `workdir`/profile.

  Raises:
    Stopped: if the run was asked to stop, or its guard stopped it.
    ConfigError: if the processes of a run were not started alike.
    OSError: if the workdir is no longer writable.
  """
  began = time.perf_counter()
  agree(plan)
  mesh = make_mesh(plan.config['mesh'], devices)
  check_batch(plan.config['batch_size'], mesh, plan.config['micro_batches'])
  with Compiles() as compiles, contextlib.ExitStack() as closing, jax.set_mesh(mesh):
    going = _Run(plan, source, mesh, programs or Programs(plan, mesh), workdir, closing, watch, ready, take_over, given or {})
    with StopSignal() as asked, going.progress(quiet), jax.transfer_guard('disallow'), Profiler(workdir, profile) as profiler:
      if curves and not going.done:
        with jax.transfer_guard('allow'):
          curves(going.train, going.log, going.bar.say)
      while going.done < plan.steps:
        profiler.at(going.done, going.train)
        going.step(asked, health, alarm, curves)
        going.first_step = going.first_step or time.perf_counter() - began
    going.log.finish()
  seconds = time.perf_counter() - began
  return Trained(
    _judged(going.train), going.log, compiles.count, seconds, going.first_step, going.programs, seed_data(plan), going.given.get(0)
  )


class _Run:
  """A run in progress."""

  def __init__(self, plan: Plan, source: Source, mesh, programs: Programs, workdir: Path | None, closing, watch, ready, take_over, given):
    self.plan, self.programs, self.workdir, self.guard, self.given = plan, programs, workdir, plan.guard, given
    self.lead = jax.process_index() == 0  # process 0 writes everything except checkpoints
    self.mesh, self.examples = mesh, NamedSharding(mesh, BATCH)
    self.every = {
      name: max(int(duration(plan.config[name] or 1, steps=plan.steps, epoch=plan.epoch)), 1)
      for name in ('log_every', 'checkpoint_every', 'health_every', 'evaluate_every')
    }
    self.sources = {0: source}  # phases with the same data share a source, under the index of the first of them
    self.columns: dict[str, np.ndarray] = {}  # computed from the networks; 'order' is the order of the source
    self.checkpoints, self.saved, train = None, None, None
    self.mine = lambda: None  # called before every write, since another run may have taken over
    if workdir:
      train = self._open(workdir, closing, take_over)
    ready()
    self.train = self._start() if train is None else train
    self.done = int(self.train.step)
    self.now = phase_at(plan.phases, self.done)
    self.log = Log(workdir if self.lead else None, self.done, watch if self.lead else ())
    closing.callback(self._close_log)
    self.bar = None
    self.pending, self.alarmed, self.first_step = None, 0, 0.0
    self.recent: dict[int, Batch] = {}  # step -> batch, for sources that cannot reproduce batches

  def _open(self, workdir: Path, closing, take_over: bool) -> TrainState | None:
    """Claims the workdir for this run and opens its checkpoints. Returns the newest state, or None if there is none."""
    if self.lead:
      self.mine = claim_workdir(workdir, self.plan.config, closing, take_over)
    multihost_utils.sync_global_devices('workdir')
    ends = [phase.last for phase in self.plan.phases[:-1]]  # later phases begin from these, so they are kept
    self.checkpoints = checkpoint.open_checkpoints(workdir / 'checkpoints', self.plan.config['keep'], ends)
    closing.callback(self._finish)  # pending saves complete however the run ends
    found = checkpoint.restore(self.checkpoints, self._abstract)
    if not found:
      return None
    train, positions, self.columns = found
    for own, position in positions.items():
      self._source(int(own)).restore(position)
    if 'order' in self.columns:
      self._source(phase_at(self.plan.phases, int(train.step))).reorder(self.columns['order'])
    return train

  def _close_log(self) -> None:
    with contextlib.suppress(Stopped):  # another run has taken over the workdir
      self.mine()
      self.log.flush()

  @contextlib.contextmanager
  def _saving(self) -> Iterator[None]:
    """Reports a takeover of the workdir as the cause of a failed save."""
    try:
      yield
    except OSError:
      self.mine()
      raise

  def _finish(self) -> None:
    with self._saving():
      checkpoint.finish(self.checkpoints, self.saved)

  def _start(self) -> TrainState:
    return self.programs.start(seed_data(self.plan), self.given.get(0))

  def _abstract(self, step: int) -> TrainState:
    return self.programs.states[phase_at(self.plan.phases, step)]

  def _source(self, phase: int) -> Source:
    """The source of a phase. Phases with the same data share one source."""
    own = next(i for i, other in enumerate(self.plan.phases) if other.data is self.plan.phases[phase].data)
    if own not in self.sources:
      self.sources[own] = open_source(self.plan, self.plan.phases[phase])
    return self.sources[own]

  @property
  def source(self) -> Source:
    return self._source(self.now)

  def progress(self, quiet: bool) -> Bar:
    self.bar = Bar(self.plan.steps, self.done, examples=self.plan.config['batch_size'], quiet=quiet or not self.lead)
    return self.bar

  def step(self, asked: Callable[[int], bool], health: Callable | None, alarm: Callable, curves: Callable | None) -> None:
    """Runs one step, then logs, checks health, evaluates and saves a checkpoint if due.

    Raises:
      Stopped: if the run was asked to stop, or its guard stopped it.
    """
    with jax.transfer_guard('allow'):
      phase = self._phase()
      turn = self.now, phase.turn(self.done)
      with contextlib.nullcontext() if turn in self.programs.operations else self.bar.compiling():
        program = self.programs.step(*turn)
      self._refresh(phase)
    waiting = time.perf_counter()
    given = self._completed(self.source.next(self.train))
    if self.guard and not isinstance(self.source, GrainSource):
      self.recent[self.done] = given
    batch = to_device(given, self.examples)
    self.bar.waited += time.perf_counter() - waiting
    self.train, metrics = program(self.train, batch)
    self.done += 1
    halted = self._flush()  # one step late: the metrics are ready by now, and the device already has the next step to work on
    if not self.first_step:
      jax.block_until_ready(self.train.step)
      self.bar.start_timing(self.done)
    last = self.done == self.plan.steps
    ending, stop = last or self.done == phase.last, asked(self.done) and not last
    saving = self.checkpoints and (ending or stop or self.done % self.every['checkpoint_every'] == 0)
    looking = health and (last or self.done % self.every['health_every'] == 0)
    judging = curves and (last or self.done % self.every['evaluate_every'] == 0)
    if self.done % self.every['log_every'] == 0 or last:
      self.pending = (self.done, metrics)
    pausing = saving or looking or judging or ending or stop
    if self.guard and pausing:
      halted = halted or bool(jax.device_get(metrics['guard/halted']))
    with jax.transfer_guard('allow'):
      if halted:
        self.pending = None
        self._halt()
        return
      if pausing:
        self._flush()
        self.mine()
      paused = time.perf_counter()
      figure = curves(self.train, self.log, self.bar.say) if judging else None
      if looking:
        self._look(health, alarm)
      if saving or self.checkpoints and figure is not None:
        position = {str(own): source.save() for own, source in self.sources.items()}
        self.mine()
        self.log.flush()  # a run that resumes from this checkpoint needs these rows
        self.saved = None  # if saving fails, its own error gives the reason
        with self._saving():
          checkpoint.save(self.checkpoints, self.train, position, self.columns, figure)
        self.saved = self.done
    self.bar.paused += time.perf_counter() - paused
    if stop:
      raise Stopped(f'stopped at step {self.done} of {self.plan.steps} as asked; the same command with its --workdir goes on')

  def _phase(self) -> Phase:
    """The phase of the next step; enters it if the previous phase has ended."""
    if self.done == self.plan.phases[self.now].last:
      if 'order' in self.columns:
        self.source.reorder(None)
      self.now, self.columns = self.now + 1, {}
      self.train = self.programs.enter(self.now, self.train, self.given.get(self.now))
    return self.plan.phases[self.now]

  def _refresh(self, phase: Phase) -> None:
    """Recomputes the columns and the order of a phase that are due."""
    for name, one in phase.refreshes.items():
      if (self.done - phase.first) % one.every == 0:
        method, (params, state) = phase.turns[0].method, _local((self.train.params, self.train.state))
        place = self.examples if jax.process_count() == 1 else NamedSharding(make_mesh(devices=jax.local_devices()), BATCH)
        represent = over_devices(jax.jit(method.represent, static_argnames='network'), (params, state), place)
        key = salted(_local(self.train.key), 'refresh', name, self.done)
        made = one.make(represent, method.networks(params, state), phase.data, key)
        self.columns = {**self.columns, **{n: np.asarray(x) for n, x in made.items()}}
        if 'order' in made:
          self.source.reorder(self.columns['order'])

  def _completed(self, batch: Batch) -> Batch:
    """Adds the columns computed from the networks to a batch."""
    return {**batch, **{name: x[np.asarray(batch['example'])] for name, x in self.columns.items() if name != 'order'}}

  def _flush(self) -> bool:
    """Writes the pending metrics. Returns whether the guard has halted the run."""
    if not self.pending:
      return False
    (at, metrics), self.pending = self.pending, None
    figures = {name: float(x) for name, x in jax.device_get(metrics).items()}
    if figures.pop('guard/halted', 0):
      return True
    self.recent = {n: batch for n, batch in self.recent.items() if n >= at}
    with jax.transfer_guard('allow'):
      phase = self.plan.at(at - 1)
      rate = float(phase.turns[phase.turn(at - 1)].learning_rate(phase.count(at - 1)))
    self.mine()
    shown = self.bar.show(at, figures['loss'])
    asked = self.programs.operations[self.now, phase.turn(at - 1)]
    self.log.write(at, {**figures, 'learning_rate': rate, **shown, **usage(self.mesh, asked, shown.get('step_seconds'))})
    return False

  def _look(self, health: Callable, alarm: Callable[[Mapping[str, float]], list[str]]) -> None:
    """Writes the health panel and its warnings."""
    figures = health(self.now, self.train, self._completed(self.source.batch(0)))
    warnings = alarm(figures)
    self.mine()
    self.log.write(self.done, {**{f'health/{name}': x for name, x in figures.items()}, 'health/alarms': len(warnings)})
    for line in warnings:
      logging.getLogger('jssl').warning('collapse alarm at step %d: %s', self.done, line)
    self.alarmed = self.alarmed + 1 if warnings else 0
    if self.guard and self.guard.collapse and self.alarmed >= self.guard.collapse:
      raise Stopped(f'{self.alarmed} health panels in a row raise the collapse alarm at step {self.done}: {"; ".join(warnings)}')

  def _halt(self) -> None:
    """Saves the step that halted the run, and returns to an earlier checkpoint if the guard allows it.

    Raises:
      Stopped: if the guard allows no further return.
    """
    train, guard = self.train, self.guard
    at, (loss, norm), mean = int(train.step), *jax.device_get((train.guard['last_bad'], train.guard['mean']))
    healthy = bool(jax.device_get(train.guard['seen']))
    why = f'at step {at} of {self.plan.steps} the loss is {loss:.4g} and the norm of its gradient {norm:.4g}'
    why += f', where {mean[0]:.4g} and {mean[1]:.4g} are usual' if healthy else ', and no step before it was finite'
    kept = None
    if self.workdir:
      bad = self.recent[at] if self.recent else self._completed(self.source.batch(self.source.save()['batches'] - (self.done - at)))
      kept = checkpoint.capture(self.workdir / 'captures', train, to_device(bad, self.examples), self.plan.config['keep'])
      why += f'; `jssl replay {kept}` looks into that step'
    returned = int(train.guard['returned'])
    if returned >= guard.returns:
      advice = 'look at the options of the losses, and at the data'
      advice = 'lower the learning rate or clip gradients (optimizer.clip=1.0)' if healthy else advice
      stopped = Stopped(f'{why}; {advice}' + ('; the checkpoints before it are kept' if self.checkpoints and at else ''))
      stopped.capture = None if healthy else kept
      raise stopped
    if self.checkpoints:
      self.checkpoints.wait()
    found = checkpoint.restore(self.checkpoints, self._abstract) if self.checkpoints else None
    back, _, self.columns = found or (self._start(), {}, {})
    # The source keeps its position: the batches that led here are skipped.
    self.log.rewind(int(back.step))
    logging.getLogger('jssl').warning('%s; back to step %d, return %d of %d', why, back.step, returned + 1, guard.returns)
    count = jax.device_put(np.int32(returned + 1), back.guard['returned'].sharding)
    self.train = back._replace(guard={**back.guard, 'returned': count})
    self.done = int(self.train.step)
    self.now = phase_at(self.plan.phases, self.done)


def _local(tree: Any) -> Any:
  """Gathers arrays that are sharded over several processes, so that each process has them whole."""
  if jax.process_count() == 1:
    return tree
  everywhere = jax.tree.map(lambda x: NamedSharding(x.sharding.mesh, PartitionSpec()), tree)
  whole = jax.jit(lambda tree: tree, out_shardings=everywhere)(tree)
  return jax.tree.map(lambda x: x.addressable_data(0), whole)


def _judged(train: TrainState) -> TrainState:
  """The part of the state that evaluators read, whole on every process; without the optimiser state, which is larger than the networks."""
  return train if jax.process_count() == 1 else _local(train._replace(opt=()))
