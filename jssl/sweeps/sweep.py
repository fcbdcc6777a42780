"""A sweep: settings of a system scored on validation data; trials are folders with JSON records, from which a sweep goes on."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jssl import several
from jssl.api import named, setting
from jssl.core.log import as_json
from jssl.errors import ConfigError, UsageError
from jssl.ledger import blind, claims
from jssl.locks import owned
from jssl.pictures.sweep import sweep_picture
from jssl.several import Task
from jssl.storage import replace
from jssl.sweeps import samplers
from jssl.sweeps.space import corners, grid, parsed, settings_of

DEFAULT = 'knn_top1'  # the score of a system without a claim
RECORD = 'trial.json'
RUNNING = 'running'


class Trial(NamedTuple):
  """Runs with one combination of settings, one for each seed. Plain values, as in `Task`."""

  number: int
  folder: str
  settings: tuple[str, ...]
  points: dict[str, Any]  # option -> index of its value, or number of its range
  metric: str
  tasks: tuple[Task, ...]


def sweep(
  name: str,
  over: Mapping[str, Any],
  data: Any = None,
  *,
  workdir: str | Path,
  metric: str | None = None,
  lower: bool | None = None,
  seeds: int = 1,
  sampler: str | None = None,
  trials: int | None = None,
  settings: Mapping[str, Any] | Sequence[str] = (),
  map: Callable = map,
  at_once: int = 1,
  say: Callable[[str], None] = print,
) -> dict[str, Any]:
  """Scores settings of a system on validation data.

      found = jssl.sweep('simclr', {'losses.nce.temperature': [0.1, 0.2, 0.5]}, data=images, workdir='runs/temperature')
      found['best']['settings']                                             # ['losses.nce.temperature=0.2']

  The test split is not read. Trials that have ended are not run again, and those that were stopped go on. A trial that diverges, collapses or
  cannot be built is recorded as failed, and does not stop the others.

  Args:
    name: a system, 'simclr' or 'simclr:tiny', or a file with a `get_config`.
    over: option -> its values, or a range 'LOW:HIGH' or 'LOW:HIGH:log', for which Optuna is needed.
    data: as in `jssl.train`; None for the data of the config.
    workdir: folder of the sweep; each trial has a folder in it.
    metric: the score: a figure of an evaluation protocol, 'linear_top1'; None for the metric of the system's claim, else 'knn_top1'.
    lower: whether a lower score is better; None for what the claim says of the metric, else False.
    seeds: runs per trial, whose mean is the score.
    sampler: 'grid' for all combinations, or Optuna's 'tpe' or 'random'; None for a grid if there are neither ranges nor `trials`, else 'tpe'.
    trials: number of trials of a sampler that is not a grid.
    settings: options of all trials by their path, {'epochs': 5}, or a list of 'x.y=v'.
    map: executes the trials; that of `processes.workers` runs several at a time, those of `jssl.sweeps.engines` run them on a cluster.
    at_once: trials that 'tpe' proposes before it waits for their scores.
    say: called with a line for each trial that ends.

  Returns:
    The contents of `sweep.json`: trials, best first and failed ones last; best, or None; metric, source. `sweep.png` plots the trials, and
    `NAME_best.py` is the config of the best one.

  Raises:
    ConfigError: if some of the settings cannot be built, before anything is trained, or the workdir holds another sweep.
    UsageError: for values, a sampler or numbers that do not fit together.
  """
  if not 1 <= seeds <= blind.FIRST_FINAL:
    raise UsageError(f'{seeds} seeds: give 1 to {blind.FIRST_FINAL}')
  name = several.placed(name)
  space = {option: parsed(option, values) for option, values in over.items()}
  sampler, count = samplers.check(sampler, space, trials)
  own = [setting(*item) for item in settings.items()] if isinstance(settings, Mapping) else [x.removeprefix('--config.') for x in settings]
  shared = [*([] if data is None else [f'data={named(data)!r}']), *own]
  config = several.run.load_config(name, shared)
  metric, lower = score_of(config, metric, lower)
  seed = config.get('seed', 0)
  folder = several.local(workdir)
  label = several.label_of(several.run.plan(several.config_of(Task(name, tuple(shared), seed, 'validation', ''))), metric)

  def trial(number: int, points: Mapping[str, Any]) -> Trial:
    own, at = settings_of(space, points), folder / 'trials' / f'{number:03}'
    task = lambda seed: Task(name, (*shared, *own), seed, 'validation', str(at / f'seed-{seed}'), (label,), baselines=False, keep=False)
    return Trial(number, str(at), tuple(own), dict(points), metric, tuple(task(seed + i) for i in range(seeds)))

  first = [checked(trial(0, points)) for points in (grid(space) if sampler == 'grid' else corners(space))][0]
  about = dict(name=name, over={option: of._asdict() for option, of in space.items()}, settings=shared, metric=metric, lower=lower)
  about |= dict(seeds=seeds, sampler=sampler, fingerprint=first.data.info.get('fingerprint'), source=several.source_of(first, 'validation'))
  about = json.loads(as_json(about, default=str))
  with owned(folder):
    begin(folder, about)
    before = recorded(folder)
    proposer = samplers.Grid(space) if sampler == 'grid' else samplers.Study(space, sampler, lower, seed + len(before))
    queue = []
    for number, found in before.items():
      if found['state'] == RUNNING or found['again']:
        queue.append(trial(number, found['points']))
      else:
        proposer.tell(number, found['points'], found['score'])
    left = [number for number in range(count) if number not in before]
    wave = at_once if sampler == 'tpe' else count  # only `tpe` learns from scores
    while True:
      new, left = left[: max(wave - len(queue), 0)], left[max(wave - len(queue), 0) :]
      queue += [trial(number, proposer.ask(number)) for number in new]
      if not queue:
        break
      for one in queue:
        record(one, RUNNING)
      for one, _ in zip(queue, map(execute, queue), strict=True):
        found = recorded(folder)[one.number]
        proposer.tell(one.number, one.points, found['score'])
        say(f'{" ".join(one.settings)}: {told(found)}')
        result = written(folder, about)
      queue = []
    result = written(folder, about)
  if any(x['score'] is not None for x in result['trials']):
    sweep_picture(result, folder / 'sweep.png')
  return result


def score_of(config: Any, metric: str | None, lower: bool | None) -> tuple[str, bool]:
  """The score of a sweep and whether lower is better, from the claim of a system where they are not given."""
  claim = config.get('claim')
  said = claims.checks(claim.to_dict()) if claim else []
  metric = metric or (said[0].metric if said else DEFAULT)
  return metric, any(check.lower for check in said if check.metric == metric) if lower is None else lower


def checked(one: Trial) -> Any:
  """The plan of a trial; nothing is trained.

  Raises:
    ConfigError: if it cannot be built, with its settings.
  """
  try:
    return several.planned(one.tasks[0])
  except ValueError as error:
    raise ConfigError(f'{" ".join(one.settings)}: {error}') from error


def begin(folder: Path, about: dict[str, Any]) -> None:
  """Checks that a folder is new, or has the same sweep.

  Raises:
    ConfigError: if it has another one.
  """
  path = folder / 'sweep.json'
  if path.is_file():
    before = json.loads(path.read_text())
    if differ := [key for key in about if before.get(key) != about[key]]:
      raise ConfigError(f'{folder} holds another sweep (differing in {", ".join(differ)}); give another --workdir, or the same sweep to go on')
  elif (folder / 'trials').exists():
    raise ConfigError(f'{folder} holds trials without {path.name}; give another --workdir')
  else:
    written(folder, about)


def record(one: Trial, state: str, **found: Any) -> dict[str, Any]:
  """Writes the record of a trial, and returns it."""
  blank = dict(score=None, scores=[], message=None, seconds=None, again=False)
  of = {**dict(number=one.number, settings=one.settings, points=one.points, state=state), **blank, **found}
  Path(one.folder).mkdir(parents=True, exist_ok=True)
  replace(Path(one.folder) / RECORD, as_json(of, indent=1))
  return of


def recorded(folder: Path) -> dict[int, dict[str, Any]]:
  """Number -> record of every trial."""
  found = [json.loads(path.read_text()) for path in sorted((folder / 'trials').glob(f'*/{RECORD}'))]
  return {of['number']: of for of in sorted(found, key=lambda of: of['number'])}


def execute(one: Trial) -> dict[str, Any]:
  """Runs a trial, seed after seed, and records it; a top-level function, so that other processes and machines can call it."""
  scores, seconds = [], []
  for task in one.tasks:
    found = several.once(task)
    if not found['failed'] and one.metric not in found['figures']:
      found['failed'] = f'there is no figure {one.metric!r}; expected one of {", ".join(found["figures"])}'
    if not found['failed']:
      scores.append(found['figures'][one.metric])
      seconds.append(found['seconds'])
    if found['failed'] or found['alarms']:
      message = found['failed'] or f'collapse alarm: {"; ".join(found["alarms"])}'
      return record(one, 'failed', message=message, scores=scores, again=found['hash'] is None)
  return record(one, 'complete', score=float(np.mean(scores)), scores=scores, seconds=None if None in seconds else sum(seconds))


def told(found: Mapping[str, Any]) -> str:
  """The outcome of a trial in words."""
  return f'failed: {found["message"]}' if found['message'] else f'{found["score"]:.4f}'


def written(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
  """Writes `sweep.json`, and the config of the best trial if there is one; returns the contents of the former."""
  trials = list(recorded(folder).values())
  sign = 1 if about['lower'] else -1
  trials.sort(key=lambda of: (of['score'] is None, sign * (of['score'] or 0.0), of['number']))
  best = trials[0] if trials and trials[0]['score'] is not None else None
  result = dict(about, trials=trials, best=best)
  if best:
    result['config'] = str(folder / f'{Path(about["name"]).name.replace(".py", "").replace(":", "_")}_best.py')
    replace(Path(result['config']), CONFIG.format(**config_of(about, best)))
  replace(folder / 'sweep.json', as_json(result, indent=1))
  return result


CONFIG = '''"""{name} with the settings of the highest score in a sweep: {metric} {score:.4f} on validation data, {seeds}."""

from jssl.configs import load_config


def get_config():
  return load_config(
    {of!r},
    [
{lines}
    ],
  )
'''


def config_of(about: Mapping[str, Any], best: Mapping[str, Any]) -> dict[str, Any]:
  """The parts of CONFIG: what `jssl train` reads, with the data and settings of all trials, and those of the best one."""
  name = about['name']
  lines = [f'      {setting!r},' for setting in several.lengths([*about['settings'], *best['settings']])]
  seeds = f'mean of {about["seeds"]} seeds' if about['seeds'] > 1 else 'one seed'
  return dict(name=Path(name).name, of=name, lines='\n'.join(lines), metric=about['metric'], score=best['score'], seeds=seeds)
