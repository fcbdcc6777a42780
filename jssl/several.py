"""One of several runs that are judged together: its config, on test or validation data, and its outcome, kept as JSON in its workdir."""

import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jssl import configs, run
from jssl.adapt import adapt
from jssl.core.build import Plan
from jssl.core.log import as_json
from jssl.errors import ConfigError, Stopped, UsageError
from jssl.evaluators.figures import plain_items
from jssl.ledger import blind, records
from jssl.locks import owned
from jssl.resume import last_step
from jssl.storage import reach, remote, replace, text
from jssl.tables import EVALUATORS

SPLITS = ('validation', 'test')
FRESH = 10  # runs after which a process forgets its compiled programs
OUTCOME = 'outcome.json'
TRAINED = 'trained'  # the row of the trained network among the items of an outcome
OTHERS = ('_low', '_high', '_std', '_validation')  # ends of the names of what stands beside a figure

_ended = itertools.count(1)


class Task(NamedTuple):
  """A run: what it trains, where, and what it is judged by. Plain values, so that another process or machine can execute it."""

  name: str  # a system or a file
  settings: tuple[str, ...]  # 'x.y=v', applied in order
  seed: int
  split: str  # of SPLITS: where its figures are from
  workdir: str
  protocols: tuple[str, ...] | None = None  # None for those of the config
  baselines: bool = True
  keep: bool = True  # checkpoints, once it has ended


def config_of(task: Task) -> dict[str, Any]:
  """The config of a run. On validation data nothing is trained on what its figures are from, and the test split is not in its data.

  Raises:
    ConfigError: it cannot be read, has a loop of its own, trains nothing, or its data do not say what may replace the test split.
  """
  config = run.load_config(task.name, lengths(task.settings))
  if config.get('experiment'):
    raise ConfigError(f'{task.name} has its own training loop and data, so it cannot be trained beside others; `jssl train` runs it')
  if not config.losses:
    raise ConfigError(f'{task.name} trains nothing: it evaluates a representation; `jssl train` runs it')
  adapt(config)
  if task.split == 'validation':
    return blind.settled(config, task.seed, 'development')
  return {**config.to_dict(), 'seed': task.seed}


def placed(name: str) -> str:
  """A system, or a file by its absolute path, as a worker may have another current folder; 'NAME:SCALE' keeps its scale."""
  system, _ = configs.split(name)
  return str(Path(system).absolute()) + name[len(system) :] if system.endswith('.py') else name


def lengths(settings: Sequence[str]) -> list[str]:
  """The settings, where `epochs` takes the place of `steps`, which would have precedence."""
  found = []
  for one in settings:
    key, _, value = one.removeprefix('--config.').partition('=')
    found += ['steps=None', one] if key == 'epochs' and value != 'None' else [one]
  return found


def planned(task: Task) -> Plan:
  """The plan of a run whose evaluators can judge it; nothing is trained.

  Raises:
    ConfigError: it cannot be built, or judged by its protocols.
  """
  p = run.plan(config_of(task))
  protocols = run.fitting(p) if task.protocols is None else task.protocols
  if not run.choose(p, protocols):
    raise ConfigError(f'{task.name} has no protocol that can judge it on these data; name one that needs no labels with --protocol')
  return p


def label_of(p: Plan, metric: str) -> str:
  """The evaluator that gives a figure: a label of the config, or a name in the table.

  Raises:
    ConfigError: for a figure of none of them.
  """
  known = dict.fromkeys([*p.evaluators, *EVALUATORS])
  found = [label for label in known if metric.startswith(f'{label}_')]
  if not found:
    raise ConfigError(f'no evaluator gives {metric!r}; expected one of {", ".join(p.evaluators)} and its figure, as in knn_top1')
  return max(found, key=len)


def mark(task: Task, p: Plan) -> str:
  """A hash of all that the outcome of a run depends on: its config, its protocols, and the files of its data, which are those of a plan."""
  config = {key: x for key, x in config_of(task).items() if key not in records.NO_FIGURE}
  return records.digest([config, task.seed, task.protocols, p.data.info.get('fingerprint')])


def source_of(p: Plan, split: str) -> str:
  """What the figures of a run are from, in words."""
  if split == 'test':
    return 'the test split'
  judged = p.data.judged
  if judged is None or judged.carved:
    share = f'a fifth of the split {judged.carved if judged else "train"!r}, drawn with the seed and not trained on'
    return f'validation data ({share}); the test split was not read'
  other = judged.instead.get('test')
  return f'validation data (the split {other!r}); the test split was not read' if other else 'validation data'


def kept(task: Task, hash: str) -> dict[str, Any] | None:
  """The outcome of a run that has ended; None if it has not, or is to be tried again.

  Raises:
    ConfigError: if its workdir holds the outcome of another run.
  """
  found = outcome(task)
  if found and found['hash'] not in (None, hash):
    raise ConfigError(f'{task.workdir} holds a run with other settings, data or protocols; give another --workdir')
  return found if found and found['hash'] else None


def outcome(task: Task) -> dict[str, Any] | None:
  """What the workdir of a run says of its end; None if it has not ended."""
  path = Path(task.workdir) / OUTCOME
  try:
    return dict(json.loads(text(path))) if path.is_file() else None
  except (ValueError, TypeError) as error:
    raise ConfigError(f'{path} is damaged ({error}); remove it, so that the run is evaluated again') from error


def once(task: Task) -> dict[str, Any]:
  """Trains and judges a run, unless its workdir has its outcome; goes on with one that was stopped.

  A run that diverges has an outcome too: `failed` says why. One that failed since it could not be built, or because of the machine, has the
  hash None, by which the next call tries it again.

  Returns:
    hash, failed (a message or None), figures, baselines, items, alarms, seconds (None if it was resumed), parameters, encoder, steps.

  Raises:
    Stopped: if it was asked to stop; the next call goes on with it.
    ConfigError: if its workdir holds another run, or is in use.
  """
  found: dict[str, Any] = dict(figures={}, baselines={}, items={}, alarms=[], seconds=None, parameters=None, encoder=None)
  found |= dict(hash=None, failed=None)
  try:
    p = planned(task)
  except Exception as error:
    return ended(task, dict(found, failed=said(error)))
  hash = mark(task, p)
  if before := kept(task, hash):
    return before
  workdir, items = Path(task.workdir), {}
  workdir.mkdir(parents=True, exist_ok=True)
  with owned(workdir):  # raises if it is being run elsewhere, which is not a failure of this run
    pass
  resumed = last_step(workdir) is not None
  try:
    results, trained = run.carried_out(p, workdir, task.protocols, task.baselines, items=items, quiet=True)
  except Exception as error:
    if isinstance(error, Stopped) and 'as asked' in str(error):  # by a signal: the run is not over
      raise
    own = isinstance(error, ValueError | ArithmeticError) and not isinstance(error, ConfigError)  # else of the machine
    return ended(task, dict(found, failed=said(error), hash=hash if own else None))
  finally:
    if next(_ended) % FRESH == 0:
      jax.clear_caches()  # the programs of a hundred runs would exhaust a process's memory maps
  size = lambda tree: sum(x.size for x in jax.tree.leaves(tree))
  found |= {key: results[key] for key in ('figures', 'baselines', 'alarms')}
  found |= dict(hash=hash, parameters=size(trained.train.params), encoder=size(trained.train.params.get('backbone')) or None)
  of_row = {row if row in results['baselines'] else TRAINED: plain_items(x) for row, x in items.items()}
  found |= dict(items=of_row, seconds=None if resumed else trained.seconds)
  if not task.keep:
    shutil.rmtree(workdir / 'checkpoints', ignore_errors=True)
  return ended(task, found)


def summary(found: Mapping[str, Any]) -> str:
  """An outcome in one line."""
  if found['failed']:
    return f'failed: {found["failed"]}'
  figures = ', '.join(f'{name} {x:.4f}' for name, x in found['figures'].items() if not name.endswith(OTHERS))
  return figures + (f' ({found["seconds"]:.0f} s)' if found['seconds'] is not None else ' (resumed)')


def said(error: Exception) -> str:
  """An error in one line, with its type if it is not one of ours."""
  line = ' '.join(str(error).split())
  return line if isinstance(error, ValueError | OSError) else f'{type(error).__name__}: {line[:400]}'


def ended(task: Task, found: dict[str, Any]) -> dict[str, Any]:
  """Writes the outcome of a run to its workdir, and returns it."""
  Path(task.workdir).mkdir(parents=True, exist_ok=True)
  replace(Path(task.workdir) / OUTCOME, as_json(found))
  return found


def local(workdir: str | Path) -> Path:
  """The folder of several runs, absolute, and made.

  Raises:
    UsageError: if it is in a bucket.
  """
  found = reach(workdir)
  if remote(found):
    raise UsageError(f'{workdir} is in a bucket; give a --workdir on this machine or a shared file system')
  found.mkdir(parents=True, exist_ok=True)
  return found.absolute()
