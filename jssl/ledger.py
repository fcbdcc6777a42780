"""The ledger: what became of each system's claim, with all that the figures rest on."""

import hashlib
import inspect
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jssl import configs, run

_here = Path(__file__).parent
_records = _here / 'records'  # in a wheel
if not _records.is_dir():
  _records = _here.parent / 'experiments' / 'ledger'


def read(name: str) -> dict[str, Any] | None:
  """The record of a system's claim; None where it was never tried."""
  path = _records / f'{name}.json'
  return json.loads(path.read_text()) if path.exists() else None


def state(name: str) -> str:
  """held or not_held, stale where the code has changed since, or untried."""
  record = read(name)
  if record is None:
    return 'untried'
  return record['state'] if record['code'] == code_hash(configs.module(name).get_config().to_dict()) else 'stale'


def code_hash(config: Mapping[str, Any]) -> str:
  """A hash of the config and of every file that its figures rest on: core, and what the config names."""
  from jssl import tables

  files = {p for folder in ('core', 'parts', 'evaluators') for p in (_here / folder).glob('*.py')}
  for name in _named(config):
    for table in tables.TABLES.values():
      if isinstance(name, str) and name in table:
        entry = table[name]
        entry = entry.func if isinstance(entry, partial) else entry
        entry = getattr(entry, 'judge', entry)
        files.add(Path(inspect.getsourcefile(entry)))
  digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
  for path in sorted(files):
    digest.update(path.name.encode() + path.read_bytes())
  return digest.hexdigest()[:16]


def _named(config: Any) -> list[str]:
  if isinstance(config, Mapping):
    own = [config['name']] if 'name' in config else []
    return own + [n for value in config.values() for n in _named(value)]
  return []


def reproduce(name: str, say: Callable[[str], None] = print) -> dict[str, Any]:
  """Runs a system's claim over its seeds and writes the record.

  A claim is dict(metric, beats, margin, seeds, variants): over the seeds the mean of `metric` must be above that of
  each of `beats` by `margin`. What is to be beaten is raw_input, random_init, or one of `variants`, which are named
  settings 'x.y=v' of the same config: the part that the paper adds, taken out.

  Raises:
    LookupError: if there is no such system.
    ValueError: if its config has no claim.
  """
  config = run.load_config(name)
  claim = config.get('claim')
  if not claim:
    raise ValueError(f'{name} has no claim; give its config c.claim = dict(metric, beats, margin, seeds)')
  claim = claim.to_dict()
  protocol = claim['metric'].split('_')[0]
  variants = {name: (), **claim.get('variants', {})}
  found: dict[str, list[float]] = {}
  curve, began = [], time.perf_counter()
  for seed in range(claim['seeds']):
    for variant, settings in variants.items():
      c = run.load_config(name, [*(f'--config.{s}' for s in settings), f'--config.seed={seed}'])
      results = run.train(c, protocols=[protocol], quiet=True)
      found.setdefault(variant, []).append(results['figures'][claim['metric']])
      if variant == name:
        for baseline, figures in results['baselines'].items():
          found.setdefault(baseline, []).append(figures[claim['metric']])
        curve = results['curve'] if seed == 0 else curve
      say(f'{name}: seed {seed}, {variant}: {claim["metric"]} {found[variant][-1]:.3f}')
  rows = {key: dict(zip(('mean', 'low', 'high'), interval(values), strict=True), values=values) for key, values in found.items()}
  held = all(rows[name]['mean'] - rows[other]['mean'] >= claim['margin'] for other in claim['beats'])
  record = dict(
    name=name, state='held' if held else 'not_held', claim=claim, figures=rows, curve=curve,
    seconds=time.perf_counter() - began, config=config.to_dict(), code=code_hash(config.to_dict()), versions=run.versions(),
  )  # fmt: skip
  _records.mkdir(parents=True, exist_ok=True)
  (_records / f'{name}.json').write_text(json.dumps(record, indent=1, default=str) + '\n')
  return record


def interval(values: Sequence[float]) -> tuple[float, float, float]:
  """Mean and 95 % interval over seeds, by Student's t."""
  from scipy.stats import t

  x = np.asarray(values, np.float64)
  half = t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else 0.0
  return float(x.mean()), float(x.mean() - half), float(x.mean() + half)
