"""Sends the log and the results of a run to trackers."""

import hashlib
import importlib.util
import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jssl.errors import ConfigError
from jssl.modules import own_name, said
from jssl.options import closest
from jssl.storage import exists, remote, replace, text
from jssl.tables import TRACKERS

PACKAGES = {'tensorboard': 'tensorboardX', 'wandb': 'wandb', 'mlflow': 'mlflow', 'aim': 'aim'}  # tracker -> the package that it needs
KEPT = 'tracking.json'  # in a workdir: the id of the tracked run of each tracker
PATIENCE = 60.0  # seconds that a run waits at its end for a tracker

Row = Mapping[str, float]


class Tracked(NamedTuple):
  """What a tracker is told when a run starts, is resumed, or returns to an earlier checkpoint."""

  name: str  # that of the workdir
  config: dict[str, Any]  # the config of the run, as JSON has it, and `versions`
  workdir: Path
  id: str | None  # what `start` has returned before for this workdir; None for a new run
  rows: Sequence[Row]  # the log so far: 'step' and figures; the tracked run must not have points after its last step
  same: bool  # whether later points of the tracked run would be written again with the same values


class Tracker(Protocol):
  """Where a run is tracked. Its methods are called in this order, in a thread of their own, and may block."""

  def start(self, run: Tracked) -> str | None:
    """Opens the tracked run, so that it has the rows of `run` and no others. Returns its id, by which a resumed run continues it."""

  def figures(self, step: int, figures: Row) -> None:
    """Adds figures of the log: losses, health, validation, rates."""

  def alarm(self, step: int, text: str) -> None:
    """Adds a warning of the health panel."""

  def picture(self, step: int, name: str, path: Path) -> None:
    """Adds a PNG file."""

  def finish(self, results: Mapping[str, Any] | None) -> None:
    """Closes the tracked run, with the contents of `results.json`; None if it has stopped early."""


def check(names: str | Sequence[str], workdir: Path | None) -> tuple[str, ...]:
  """The trackers of a run, each once, from a sequence of names or a text such as 'wandb,mlflow'.

  Raises:
    ConfigError: if there is no such tracker, its package is not installed, or the run has no workdir that it can use.
  """
  names = names.split(',') if isinstance(names, str) else names
  for name in names:
    if name not in TRACKERS:
      raise ConfigError(f'no tracker is called {name!r}{closest(name, TRACKERS)}')
    if name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None:
      raise ConfigError(f"the tracker {name} needs the package {PACKAGES[name]}: pip install 'jssl[{name}]', or leave {name} out")
    if own_name(name):
      try:
        TRACKERS[name]
      except Exception as error:  # of any type, as it is user code
        raise ConfigError(f'{name!r} cannot be used as a tracker: {said(error)}') from error
    if workdir is None:
      raise ConfigError(f'the tracker {name} needs a workdir, which keeps the id of the tracked run: give one, or leave {name} out')
    if name == 'tensorboard' and remote(workdir):
      raise ConfigError(f'TensorBoard files are appended to, which {workdir} does not allow; leave tensorboard out, or give a local workdir')
  return tuple(dict.fromkeys(names))


class Tracking:
  """The trackers of a run. An error of a tracker before the first step ends the run; later ones end the tracking by it, with a warning.

      with Tracking(('wandb',), config, workdir, alarms) as tracking:
        log = Log(workdir, watch=[tracking])
        tracking.finish(results)

  Args:
    names: of trackers, checked by `check`.
    config: the config of the run, with any values that JSON has.
    workdir: its workdir.
    alarms: returns the warnings for a row of the log.
  """

  def __init__(self, names: Sequence[str], config: Mapping[str, Any], workdir: Path | None, alarms: Callable[[Row], list[str]]):
    self.config, self.workdir, self.alarms = dict(config), workdir, alarms
    self.lines = {name: _Line(name, TRACKERS[name]()) for name in names}
    self.sent: int | None = None  # rows that the trackers have, once they are started
    self.alarmed, self.finished, self.writing = False, False, threading.Lock()

  def __enter__(self) -> 'Tracking':
    return self

  def __exit__(self, *_) -> None:
    """Waits until the trackers have everything, for up to a minute each."""
    if not self.finished:
      self._all(lambda tracker: tracker.finish(None))
    for line in self.lines.values():
      line.close()

  def __call__(self, rows: Sequence[Row]) -> None:
    """Takes the log so far; fewer rows than before mean that the run has returned to an earlier step."""
    if not self.lines:
      return
    if self.sent is None or len(rows) < self.sent:
      self._start(list(rows), again=self.sent is not None)
      self.sent = len(rows)
    for row in rows[self.sent :]:
      step = int(row['step'])
      self._all(partial(_figures, step=step, row=row))
      if warnings := [] if self.alarmed else self._alarms(row):
        self._all(lambda tracker, step=step, warnings=warnings: tracker.alarm(step, '; '.join(warnings)))
      self.alarmed = bool(row.get('health/alarms', self.alarmed))
    self.sent = len(rows)

  def finish(self, results: Mapping[str, Any]) -> None:
    """Adds the results of the run and the pictures in its workdir."""
    self.finished = True
    if not self.lines:
      return
    if self.sent is None:  # a run with a loop of its own
      self._start([], again=False)
    step = int(results.get('step', 0))
    for path in [] if remote(self.workdir) else sorted(self.workdir.glob('*.png')):
      self._all(lambda tracker, path=path: tracker.picture(step, path.stem, path))
    self._all(lambda tracker: tracker.finish(results))

  def _alarms(self, row: Row) -> list[str]:
    return self.alarms(row) if row.get('health/alarms') else []

  def _all(self, call: Callable[[Tracker], None]) -> None:
    for line in self.lines.values():
      line.send(call)

  def _start(self, rows: list[Row], again: bool) -> None:
    """Starts the trackers. Waits for them the first time; when a run returns to an earlier step, they follow."""
    digest = hashlib.sha256(json.dumps(self.config, sort_keys=True, default=str).encode()).hexdigest()[:16]
    at = self.workdir / KEPT
    try:
      kept = dict(json.loads(text(at))) if exists(at) else {}
    except (ValueError, TypeError) as error:
      raise ConfigError(f'{at} is damaged ({error}); remove it, which starts new tracked runs') from error
    same = kept.get('config') == digest and not again
    ids = kept.get('runs', {})

    def begin(tracker: Tracker, name: str) -> None:
      run = Tracked(self.workdir.name, json.loads(json.dumps(self.config, default=str)), self.workdir, ids.get(name), rows, same)
      id = tracker.start(run)
      with self.writing:
        ids[name] = id
        replace(at, json.dumps({'config': digest, 'runs': ids}, indent=1))

    asked = {name: line.send(partial(begin, name=name)) for name, line in self.lines.items()}
    for name, begun in asked.items() if not again else ():
      if error := begun.exception():
        raise ConfigError(f'the tracker {name} cannot be started ({_short(error)}); mend this, or leave {name} out') from error


class _Line(threading.Thread):
  """Calls a tracker in a thread, one call after the other."""

  def __init__(self, name: str, tracker: Tracker):
    super().__init__(name=f'track-{name}', daemon=True)
    self.label, self.tracker, self.failed = name, tracker, False
    self.calls: queue.SimpleQueue[tuple[Future, Callable] | None] = queue.SimpleQueue()
    self.start()

  def send(self, call: Callable[[Tracker], Any]) -> Future:
    future: Future = Future()
    self.calls.put((future, call))
    return future

  def run(self) -> None:
    while item := self.calls.get():
      future, call = item
      if self.failed:
        continue
      try:
        future.set_result(call(self.tracker))
      except BaseException as error:  # some packages end the process when they cannot connect
        self.failed = True
        logging.getLogger('jssl').warning('the tracker %s has failed, and is not used further: %s', self.label, _short(error))
        future.set_exception(error)

  def close(self) -> None:
    self.calls.put(None)
    self.join(PATIENCE)
    if self.is_alive():
      logging.getLogger('jssl').warning('the tracker %s has not taken everything after %.0f s; the rest is left out', self.label, PATIENCE)


def _figures(tracker: Tracker, step: int, row: Row) -> None:
  tracker.figures(step, figures_of(row))


def figures_of(row: Row) -> dict[str, float]:
  """The figures of a row of the log; those that are not finite are NaN."""
  return {name: float('nan') if x is None else float(x) for name, x in row.items() if name != 'step'}


def final(results: Mapping[str, Any]) -> dict[str, float]:
  """The figures of the protocols, as `final/NAME`, and those of the baselines, as `baselines/ROW/NAME`."""
  rows = {'final': results['figures'], **{f'baselines/{row}': figures for row, figures in results['baselines'].items()}}
  return {f'{row}/{name}': float('nan') if x is None else x for row, figures in rows.items() for name, x in figures.items()}


def flat(config: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
  """The options of a config by their paths: ('losses.nce.temperature', 0.1)."""
  for key, value in config.items():
    if isinstance(value, Mapping) and value:
      yield from flat(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value


def _short(error: BaseException) -> str:
  return ' '.join(f'{type(error).__name__}: {error}'.split())[:300]
