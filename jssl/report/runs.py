"""What a workdir holds of a run, as far as it can be read."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jssl import configs, storage
from jssl.core.log import as_json
from jssl.errors import ConfigError
from jssl.keys import complete
from jssl.model import SAVED, read_config
from jssl.report.html import number
from jssl.show import HIDDEN

KINDS = dict(figures=dict, baselines=dict, health=dict, versions=dict, left_out=dict, alarms=list, resumed=list)
ENDS = ('_low', '_high', '_std', '_validation')  # of figures that belong to another figure


class Held(NamedTuple):
  """The contents of a run."""

  name: str  # of the system
  label: str  # of the run: its folder
  config: dict[str, Any]
  results: dict[str, Any]  # empty until the run has ended
  rows: list[dict[str, Any]]  # of the log
  problems: list[str]  # what could not be read, one sentence each


def read(workdir: Path) -> Held:
  """Reads the config, the results and the log of a run.

  Raises:
    ConfigError: if the folder has no readable config.json, and so no run.
  """
  config, problems = read_config(workdir), []
  if 'about' in config:
    raise ConfigError(f'{workdir} holds a model, not a run; give the --workdir of a `jssl train`')
  results: dict[str, Any] = {}
  if storage.exists(workdir / 'results.json'):
    try:
      results = _checked(dict(json.loads(storage.text(workdir / 'results.json'))), problems)
    except (OSError, ValueError, TypeError) as error:
      problems.append(f'results.json cannot be read ({" ".join(str(error).split())}).')
  rows = _rows(workdir / 'metrics.jsonl', problems)
  last = max((row['step'] for row in rows), default=0)
  if not results and not problems:
    problems.append(f'The run has no results yet: it is in progress, or was stopped. The last step in its log is {last}.')
  elif isinstance(results.get('step'), int) and last > results['step']:
    problems.append(f'The results are those of step {results["step"]}, and the log goes on to step {last}.')
  if not results and storage.children(workdir / 'captures'):
    problems.append(f'A step of the run failed: `jssl replay {workdir}` names the first array that is not finite.')
  return Held(str(config.get('name') or 'trained'), Path(storage.absolute(workdir)).name, config, results, rows, problems)


def _checked(results: dict[str, Any], problems: list[str]) -> dict[str, Any]:
  """The results without entries of another type than runs write."""
  wrong = [key for key, kind in KINDS.items() if key in results and not isinstance(results[key], kind | None)]
  if isinstance(results.get('baselines'), dict):
    wrong += ['baselines'] * any(not isinstance(row, dict) for row in results['baselines'].values())
  problems += [f'{key} of results.json cannot be read, and is left out.' for key in wrong]
  return {key: x for key, x in results.items() if key not in wrong}


def _rows(path: Path, problems: list[str]) -> list[dict[str, Any]]:
  """The complete rows of a log; a killed run may have left a partial last one."""
  if not storage.exists(path):
    return []
  found, damaged = [], 0
  lines = path.read_bytes().decode(errors='replace').splitlines()
  for i, line in enumerate(lines, 1):
    try:
      row = json.loads(line)
      row['step'] += 0
      found.append({key: x for key, x in row.items() if x is None or isinstance(x, int | float)})
    except (ValueError, LookupError, TypeError):
      damaged += i < len(lines)
  if damaged:
    problems.append(f'{damaged} of {len(lines)} lines of metrics.jsonl are damaged and left out.')
  return found


def numbers(row: Any) -> dict[str, float | None]:
  """The figures of a row of results, None where one is not finite; intervals, deviations and validation figures are left out."""
  of = row.items() if isinstance(row, Mapping) else ()
  shown = lambda name, x: not name.endswith(ENDS) and (x is None or isinstance(x, int | float) and not isinstance(x, bool))
  return {name: x for name, x in of if shown(name, x)}


def compared(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """A table of figures: one line for each figure, one column for each row of results, and their plot on one axis."""
  lines = []
  for name in dict.fromkeys(name for row in rows.values() for name in numbers(row)):
    cells: list[dict[str, Any] | None] = []
    for i, row in enumerate(rows.values()):
      if name not in numbers(row):
        cells.append(None)
        continue
      low, high = row.get(f'{name}_low'), row.get(f'{name}_high')
      bounded = low is not None and high is not None and row[name] is not None
      interval = f'[{number(low)}, {number(high)}]' if bounded else ''
      cells.append(dict(row=i, x=row[name], ends=(low, high) if bounded else None, text=number(row[name]), interval=interval))
    known = [x for c in cells if c and c['x'] is not None for x in (c['x'], *(c['ends'] or ()))]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if 0 <= low and high <= 1:  # shares: whole tenths, so that the axes of similar runs are alike
      low, high = math.floor(10 * low) / 10, math.ceil(10 * high) / 10
    if low == high:
      low, high = (low - 0.1, high) if high == 1 else (low, high + 0.1) if 0 <= low < 1 else (low - 1, high + 1)
    share = lambda x, low=low, high=high: round(100 * (x - low) / (high - low), 2)
    for cell in filter(None, cells):
      ends = cell.pop('ends')
      cell |= dict(at=None if cell['x'] is None else share(cell['x']), low=ends and share(ends[0]), high=ends and share(ends[1]))
    lines.append(dict(name=name, cells=cells, low=number(low), high=number(high)))
  return dict(names=list(rows), lines=lines)


def flat(value: Any, place: str = '') -> dict[str, Any]:
  """Nested dicts as one dict with dotted names; an empty dict stays as a value."""
  if not isinstance(value, Mapping) or not value:
    return {place: value}
  return {name: x for key, of in value.items() for name, x in flat(of, f'{place}.{key}' if place else str(key)).items()}


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
  """The settings of training in a config, with dotted names."""
  return {key: x for key, x in flat(config).items() if key.partition('.')[0] not in HIDDEN}


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
  """The settings in which two configs in JSON form differ: their place, and both values; '' where one has no such setting."""
  a, b = settings(first), settings(second)
  return [(key, a.get(key, ''), b.get(key, '')) for key in {**a, **b} if a.get(key) != b.get(key)]


def recipe(config: Mapping[str, Any]) -> tuple[str, list[tuple[str, Any, Any]]] | None:
  """The shipped config that a run's config is closest to, as NAME:SCALE, and how they differ; None if no system has this name."""
  name = config.get('name')
  if name not in configs.names():
    return None
  found = {}
  for scale in configs.scales(configs.module(name)):
    shipped = configs.load_config(f'{name}:{scale}')
    shipped = shipped.to_dict() if shipped.get('experiment') else complete(shipped)
    found[f'{name}:{scale}'] = differences(json.loads(as_json(shipped, default=str)), config)
  return min(found.items(), key=lambda item: len(item[1]))


def size(workdir: Path) -> int:
  """Bytes of the files in a local workdir, without an earlier report."""
  return sum(path.stat().st_size for path in workdir.rglob('*') if path.is_file() and path.suffix != '.html')


def parameters(workdir: Path) -> dict[str, int]:
  """Network -> number of trained arrays' entries, from the header of the saved model; empty if there is none."""
  path = workdir / SAVED / 'model.safetensors'
  if not path.is_file():
    return {}
  from safetensors import safe_open

  found: dict[str, int] = {}
  with safe_open(path, 'numpy') as file:
    for name in file.keys():
      kind, network, *_ = name.split('.')
      if kind == 'params':
        count = 1
        for side in file.get_slice(name).get_shape():
          count *= side
        found[network] = found.get(network, 0) + count
  return found
