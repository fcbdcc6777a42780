"""The ledger: what became of each system's claim, with all that the figures rest on."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jssl import configs, run
from jssl.core.log import replace
from jssl.keys import DEFAULTS
from jssl.ledger.reach import code_hash
from jssl.model import writable

_package = Path(__file__).parents[1]
_shipped = _package / 'records'  # in a wheel, which nobody writes into
_checkout = _package.parent / 'experiments' / 'ledger'
_shipped = _checkout if _checkout.is_dir() else _shipped


def _own() -> Path:
  """Where a user who has no checkout keeps records."""
  return Path(os.environ.get('XDG_DATA_HOME') or os.path.expanduser('~/.local/share')) / 'jssl' / 'ledger'


_records = _checkout if _checkout.is_dir() else _own()


class Check(NamedTuple):
  """One thing that a claim says: over the seeds, the mean of `metric` lies beyond that of each of `beats` by `margin`."""

  metric: str
  beats: tuple[str, ...]
  margin: float
  lower: bool  # the less the better

  def holds(self, name: str, rows: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether it does, for the system `name` among rows of figures."""
    sign = -1 if self.lower else 1
    mean = lambda row: sign * rows[row][self.metric]['mean']
    return all(mean(name) - mean(other) >= self.margin for other in self.beats)


def checks(claim: Mapping[str, Any]) -> list[Check]:
  """A claim's checks: its own, and those of `also`."""
  return [Check(c['metric'], tuple(c['beats']), c['margin'], bool(c.get('lower', False))) for c in (claim, *claim.get('also', ()))]


def read(name: str) -> dict[str, Any] | None:
  """The record of a system's claim; None where it was never tried."""
  path = next((f / f'{name}.json' for f in (_records, _shipped) if (f / f'{name}.json').exists()), None)
  return json.loads(path.read_text()) if path else None


def state(name: str) -> str:
  """held or not_held, stale where the code has changed since, or untried."""
  record = read(name)
  if record is None:
    return 'untried'
  return record['state'] if record['code'] == code_hash(run.load_config(name).to_dict()) else 'stale'


def reproduce(name: str, say: Callable[[str], None] = print) -> dict[str, Any]:
  """Runs a system's claim over its seeds and writes the record, and a picture of it beside.

  A claim is dict(metric, beats, margin, seeds) and, where needed, `lower`, `variants` and `also`. What is to be beaten is
  raw_input, random_init, or one of `variants`, which are named settings 'x.y=v' of the same config: the part that
  the paper adds, taken out.

  Raises:
    LookupError: if there is no such system.
    ValueError: if its config has no claim, or the claim names a row or a figure that does not come out.
  """
  return begin(name)(say)


def begin(name: str, *, map: Callable = map, jobs: int = 1) -> Callable[[Callable[[str], None]], dict[str, Any]]:
  """Asks for the runs of a claim; what it returns waits for them and does the rest of `reproduce`.

  The seeds of a variant share its programs, so that they are run together, where there are variants enough for all jobs.

  Args:
    name: of the system.
    map: carries out the runs; that of `processes.workers` starts at once, and does several at a time.
    jobs: how many; the seconds of a record are those of all its runs over this number.
  """
  if (system := configs.split(name)[0]) != name:
    raise ValueError(f'{name}: claims are of the scale {configs.SMALL}; give {system} alone')
  config = run.load_config(name)
  if not config.get('claim'):
    raise ValueError(f'{name} has no claim; give its config c.claim = dict(metric, beats, margin, seeds)')
  claim = config.claim.to_dict()
  said = checks(claim)
  known = config.get('evaluators') or DEFAULTS['evaluators']
  labels = sorted({label for check in said for label in known if check.metric.startswith(f'{label}_')})
  for check in () if config.get('experiment') else said:
    if not any(check.metric.startswith(f'{label}_') for label in labels):
      raise ValueError(f'the claim of {name} speaks of {check.metric}, which none of its evaluators finds: {sorted(known)}')
    if other := [row for row in check.beats if row not in ('raw_input', 'random_init', *claim.get('variants', {}))]:
      raise ValueError(f'the claim of {name} is to beat {other[0]}, which is neither raw_input, random_init nor one of its variants')
  variants = {name: (), **claim.get('variants', {})}
  for settings in variants.values():
    run.load_config(name, [f'--config.{s}' for s in settings])  # what cannot be set is told before the others are run
  _records.mkdir(parents=True, exist_ok=True)
  for file in (f'{name}.json', f'{name}.png'):
    writable(_records / file)
  parts = min(-(-jobs // len(variants)), claim['seeds'])
  runs = [(variant, range(part, claim['seeds'], parts)) for part in range(parts) for variant in variants]
  outcomes = map(partial(_outcomes, name, labels), *zip(*((seeds, variants[v], v == name) for v, seeds in runs), strict=True))
  code = code_hash(config.to_dict())

  def finish(say: Callable[[str], None]) -> dict[str, Any]:
    found: dict[str, dict[int, dict[str, float]]] = {}  # row -> seed -> figures
    curve, seconds = [], 0.0
    each = ((seed, variant, r) for (variant, seeds), of in zip(runs, outcomes, strict=True) for seed, r in zip(seeds, of, strict=True))
    for seed, variant, results in each:
      for row, figures in results['rows'].items():
        if row == name:
          found.setdefault(variant, {})[seed] = figures
        elif variant == name:  # the baselines are the same beside every variant
          found.setdefault(row, {})[seed] = figures
      curve = results['curve'] if (seed, variant) == (0, name) else curve
      seconds += results['seconds'] / jobs
      told = ', '.join(f'{c.metric} {results["rows"][name].get(c.metric, np.nan):.3f}' for c in said)
      say(f'{name}: seed {seed}, {variant}: {told}' + ''.join(f'; {a}' for a in results['alarms']))
    for check in said:
      for row in (name, *check.beats):
        if row not in found or any(check.metric not in figures for figures in found[row].values()):
          known = {r: sorted(of[0]) for r, of in found.items()}
          raise ValueError(f'the claim of {name} speaks of {check.metric} of {row}, which does not come out; there are {known}')
    rows = {
      row: {c.metric: _over_seeds([of[s][c.metric] for s in sorted(of)]) for c in said if all(c.metric in f for f in of.values())}
      for row, of in found.items()
    }
    held = [check.holds(name, rows) for check in said]
    record = dict(
      name=name, state='held' if all(held) else 'not_held', claim=claim, held=held, figures=rows, curve=curve,
      seconds=seconds, config=config.to_dict(), code=code, versions=run.versions(),
    )  # fmt: skip
    replace(_records / f'{name}.json', json.dumps(record, indent=1, default=str) + '\n')
    from jssl.pictures.claim import claim_picture

    claim_picture(record, said, _records / f'{name}.png')
    return record

  return finish


def _outcomes(name: str, labels: Sequence[str], seeds: Sequence[int], settings: Sequence[str], baselines: bool) -> list[dict[str, Any]]:
  """The runs of one variant of a claim; a function of its own, so that another process can be asked for them."""
  config = run.load_config(name, [f'--config.{s}' for s in settings])
  found, began = [], time.perf_counter()
  for results in run.outcomes(config, seeds, labels, baselines=baselines):
    found.append(dict(results, seconds=time.perf_counter() - began))
    began = time.perf_counter()
  jax.clear_caches()  # the programs of a hundred claims would use up a process's memory maps
  return found


def summary(record: Mapping[str, Any]) -> str:
  """The figures of a record in a line."""
  texts = []
  for check in checks(record['claim']):
    of = lambda row, m=check.metric: record['figures'][row][m]
    rows = (record['name'], *check.beats)
    texts.append(f'{check.metric} ' + ', '.join(f'{r} {of(r)["mean"]:.3f} [{of(r)["low"]:.3f}, {of(r)["high"]:.3f}]' for r in rows))
  return '; '.join(texts)


def _over_seeds(values: Sequence[float]) -> dict[str, Any]:
  return dict(zip(('mean', 'low', 'high'), interval(values), strict=True), values=list(values))


def interval(values: Sequence[float]) -> tuple[float, float, float]:
  """Mean and 95 % interval over seeds, by Student's t."""
  from scipy.stats import t

  x = np.asarray(values, np.float64)
  half = t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else 0.0
  return float(x.mean()), float(x.mean() - half), float(x.mean() + half)
