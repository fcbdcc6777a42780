"""The report of several runs, side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jssl import storage
from jssl.errors import UsageError
from jssl.pictures.curves import PREFIX, RAW, curves_of
from jssl.pictures.run import TOLD, panels_of
from jssl.report import charts, runs
from jssl.report.html import Report, Section, duration, number, page
from jssl.report.runs import Held
from jssl.show import short


def report(workdirs: Sequence[Path]) -> Report:
  """Compares the runs in workdirs: their figures, their curves and their settings.

  Raises:
    UsageError: if a workdir is given twice.
    ConfigError: if one holds no run.
  """
  if len({storage.absolute(path) for path in workdirs}) < len(workdirs):
    raise UsageError('a workdir is given twice; give each run once')
  found = [runs.read(path) for path in workdirs]
  labels = _labels(found, workdirs)
  sections = [x for x in (figures(found, labels), training(found, labels), validation(found, labels), settings(found, labels)) if x]
  notices = []
  for label, held in zip(labels, found, strict=True):
    notices += [('warn', f'{label}: {text}') for text in held.problems]
    notices += [('bad', f'{label}: alarm of collapse: {line}') for line in held.results.get('alarms') or ()]
  return page(' and '.join(labels) if len(labels) < 4 else f'{len(labels)} runs', 'Comparison of runs', sections, notices=notices)


def _labels(found: Sequence[Held], workdirs: Sequence[Path]) -> list[str]:
  """The folders of the runs by their shortest different names."""
  names = [held.label for held in found]
  return names if len({*names}) == len(names) else [str(path) for path in workdirs]


def figures(found: Sequence[Held], labels: Sequence[str]) -> Section | None:
  rows = {label: held.results.get('figures') or {} for label, held in zip(labels, found, strict=True)}
  if not any(map(runs.numbers, rows.values())):
    return None
  blocks: list[tuple[str, Any]] = [('figures', runs.compared(rows))]
  table = []
  for label, held in zip(labels, found, strict=True):
    seconds = held.results.get('seconds')
    steps = held.results.get('step', max((row['step'] for row in held.rows), default=None))
    table.append((label, held.name, '' if steps is None else number(steps), duration(seconds) if isinstance(seconds, int | float) else ''))
  blocks.append(('table', dict(head=('run', 'system', 'steps', 'training time'), rows=table)))
  baselines = {
    f'{row.replace("_", " ")} of {label}': x
    for label, held in zip(labels, found, strict=True)
    for row, x in (held.results.get('baselines') or {}).items()
  }
  if baselines:
    head = ('figure', *baselines)
    names = dict.fromkeys(name for x in baselines.values() for name in runs.numbers(x))
    lines = [(name, *(number(x[name]) if name in x else '' for x in baselines.values())) for name in names]
    blocks += [('text', 'Baselines:'), ('table', dict(head=head, rows=lines))]
  note = (
    'Intervals are 95 % bootstrap intervals over test examples. They do not contain the variation between seeds, '
    'and figures of runs on different data cannot be compared.'
  )
  return Section('figures', 'Results', blocks, note)


def training(found: Sequence[Held], labels: Sequence[str]) -> Section | None:
  """One plot for each panel of the log, of the first metric in it."""
  lines: dict[str, dict[str, list[tuple[float, float]]]] = {}
  for label, held in zip(labels, found, strict=True):
    rows = [row for row in held.rows if not any(name.startswith((PREFIX, RAW)) for name in row)]
    for panel, (key, *_) in panels_of(rows).items():
      title = TOLD.get(panel, key.removeprefix('health/') if len(key.split('/')) > 1 else panel)
      lines.setdefault(title, {})[label] = [(row['step'], row[key]) for row in rows if row.get(key) is not None]
  shown = [charts.of_runs(title, of) for title, of in lines.items()]
  return Section('training', 'Training', [('charts', shown)]) if shown else None


def validation(found: Sequence[Held], labels: Sequence[str]) -> Section | None:
  lines: dict[str, dict[str, list[tuple[float, float]]]] = {}
  for label, held in zip(labels, found, strict=True):
    for name, curve in curves_of(held.rows).items():
      lines.setdefault(name, {})[label] = [*zip(curve['steps'], curve['values'], strict=True)]
  shown = [charts.of_runs(f'{name} on validation data', of) for name, of in lines.items()]
  return Section('validation', 'Figures during training', [('charts', shown)]) if shown else None


def settings(found: Sequence[Held], labels: Sequence[str]) -> Section:
  """The settings in which the runs differ."""
  flat = [runs.settings(held.config) for held in found]
  places = dict.fromkeys(key for of in flat for key in of)
  value = lambda of, key: short(of[key]) if key in of else ''
  rows = [(key, *(value(of, key) for of in flat)) for key in places if any(of.get(key, '') != flat[0].get(key, '') for of in flat)]
  if not rows:
    return Section('settings', 'Settings', [], 'The runs have the same settings.')
  return Section('settings', 'Settings', [('table', dict(head=('setting', *labels), rows=rows))], 'The settings in which the runs differ.')
