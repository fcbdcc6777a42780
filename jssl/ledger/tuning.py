"""Tuning: some configurations of a system, or of a competing variant, scored on development seeds and validation data only."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jssl import run
from jssl.errors import UsageError
from jssl.ledger import blind, claims, records

TRIES = 8  # maximum per row


def tune(
  name: str,
  over: Mapping[str, Sequence[Any]],
  *,
  row: str | None = None,
  seeds: int = 3,
  map: Callable = map,
  say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
  """Scores every combination of settings by the claim's metrics, and adds each to the record as a trial.

  Only development seeds and data without the test split are used; a combination that was scored before is not scored again.

  Args:
    name: name of the system.
    over: config option -> values.
    row: a variant of the claim, to tune a competitor; None for the system itself.
    seeds: number of development seeds, 0, 1, ...
    map: executes the runs, as in `trials.begin`.
    say: called with a line for each trial.

  Returns:
    All trials of that row so far.

  Raises:
    UsageError: for more than 8 trials of a row, or an unknown row.
    ConfigError: for a system without a claim, or data that do not declare which splits are evaluated.
  """
  config, labels = records.prepared(name)
  own = config['name']
  variants = {own: (), **claims.settings(config['claim'])}
  row = row or own
  if row not in variants:
    raise UsageError(f'{own} has no row {row!r}; expected one of {", ".join(variants)}')
  if not 1 <= seeds <= blind.FIRST_FINAL:
    raise UsageError(f'{seeds} seeds: give 1 to {blind.FIRST_FINAL}, the number of development seeds')
  given = [[f'{key}={value}' for key, value in zip(over, values, strict=True)] for values in itertools.product(*over.values())]
  loaded = {json.dumps(s): run.load_config(name, [f'--config.{x}' for x in (*variants[row], *s)]) for s in given}
  hashes = {s: records.digest({k: x for k, x in c.to_dict().items() if k not in records.NO_FIGURE}) for s, c in loaded.items()}
  record = records.read(own)
  known = {t['config'] for t in record['tries'] if t['row'] == row and len(t['seeds']) >= seeds}
  new = [s for s, hash in hashes.items() if hash not in known]
  made = {t['config'] for t in record['tries'] if t['row'] == row} | {hashes[s] for s in new}
  if len(made) > TRIES:
    raise UsageError(f'{row} of {own}: {len(made)} tries, {len(new)} of them new, and at most {TRIES} are allowed; take fewer values')
  metrics = list(dict.fromkeys(check.metric for check in (*claims.checks(config['claim']), *claims.manipulation(config['claim']))))
  work = partial(_score, name, labels, metrics, list(blind.development_seeds(seeds)))
  for s, figures in zip(new, map(work, [[*variants[row], *json.loads(s)] for s in new]), strict=True):
    found = dict(row=row, config=hashes[s], settings=json.loads(s), seeds=list(blind.development_seeds(seeds)), figures=figures)
    record = records.read(own)
    kept = [t for t in record['tries'] if (t['row'], t['config']) != (row, hashes[s])]
    records.write(dict(record, tries=[*kept, found]))  # immediately, so that none is lost
    say(f'{own}: {row.replace("_", " ")}, {" ".join(json.loads(s))}: ' + ', '.join(f'{m} {np.mean(x):.4f}' for m, x in figures.items()))
  return [t for t in records.read(own)['tries'] if t['row'] == row]


def _score(name: str, labels: Sequence[str], metrics: Sequence[str], seeds: Sequence[int], settings: Sequence[str]) -> dict[str, list[float]]:
  """The metrics of one configuration by seed."""
  config = run.load_config(name, [f'--config.{s}' for s in settings])
  found = [
    r['rows'][config.name] for r in run.outcomes((blind.settled(config, seed, 'development') for seed in seeds), labels, baselines=False)
  ]
  jax.clear_caches()
  return {metric: [figures[metric] for figures in found] for metric in metrics}
