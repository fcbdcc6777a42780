"""Evaluation of claims: final seeds and final data, for every row of the claim; completed runs are reused."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jax
import numpy as np

from jssl import configs, run
from jssl.errors import ConfigError
from jssl.evaluators.figures import plain_items, read_items
from jssl.ledger import blind, claims, records
from jssl.model import writable
from jssl.storage import replace


def reproduce(name: str, say: Callable[[str], None] = print) -> dict[str, Any]:
  """Evaluates a system's claim over its seeds, and writes the record and a plot.

  The claim is registered first. Completed runs with the same hash are not repeated, so an interrupted evaluation continues.

  Raises:
    ConfigError: if there is no such system, its config has no claim, or a row or metric of the claim is missing in the results.
  """
  return begin(name)(say)


def begin(name: str, *, map: Callable = map, jobs: int = 1) -> Callable[[Callable[[str], None]], dict[str, Any]]:
  """Starts the runs of a claim. The returned function waits for them and does the rest of `reproduce`.

  The seeds of a variant share compiled programs, so they are run together if there are enough variants for all jobs.

  Args:
    name: name of the system.
    map: executes the runs; that of `processes.workers` starts immediately, and runs several in parallel.
    jobs: number of parallel runs.
  """
  if (system := configs.split(name)[0]) != name:
    raise ConfigError(f'{name}: claims are for the scale {configs.SMALL}; give {system} without a scale')
  config, labels = records.prepared(name)
  own, claim = config['name'], config['claim']
  for file in (f'{own}.json', f'{own}.png'):
    writable(records.folder() / file)
  variants = {own: (), **claims.settings(claim)}
  for settings in variants.values():
    run.load_config(name, [f'--config.{s}' for s in settings])  # invalid settings are reported before other runs start
  registered = records.register(own, config)['registrations'][-1]['hash']
  code = records.code_hash(config)
  done = records.folder() / 'runs' / own / code
  done.mkdir(parents=True, exist_ok=True)
  seeds = list(blind.final_seeds(claims.seeds(claim)))
  parts = min(-(-jobs // len(variants)), len(seeds))
  asked = [(variant, settings, seeds[part::parts]) for part in range(parts) for variant, settings in variants.items()]
  work = partial(_runs, name, labels, done)
  outcomes = map(work, *zip(*asked, strict=True))

  def finish(say: Callable[[str], None]) -> dict[str, Any]:
    for (variant, _, some), seconds in zip(asked, outcomes, strict=True):
      for seed in some:
        figures = _read(done, variant, seed)['rows'][own]
        told = ', '.join(f'{c.metric} {figures.get(c.metric, np.nan):.3f}' for c in claims.checks(claim))
        say(f'{own}: seed {seed}, {variant.replace("_", " ")}: {told} ({seconds:.0f} s with the other seeds of its process)')
    found = dict(collect(config, done, seeds), registration=registered, code=code, versions=run.versions())
    record = records.look(records.read(own), found)
    records.write(record)
    from jssl.pictures.claim import claim_picture

    claim_picture(record, records.folder() / f'{own}.png')
    shutil.rmtree(done)
    with contextlib.suppress(OSError):  # runs under another hash that were stopped are kept
      done.parent.rmdir()
    return record

  return finish


def _runs(name: str, labels: Sequence[str], done: Path, variant: str, settings: Sequence[str], seeds: Sequence[int]) -> float:
  """Executes the missing runs of one variant, writing each when it ends; a top-level function, so that other processes can call it.

  Returns:
    The duration in seconds.
  """
  began = time.perf_counter()
  left = [seed for seed in seeds if not _path(done, variant, seed).exists()]
  of = (blind.settled(run.load_config(name, [f'--config.{s}' for s in settings]), seed, 'final') for seed in left)
  at = began
  for seed, results in zip(left, run.outcomes(of, labels, baselines=not settings), strict=True):
    items = {row: plain_items(x) for row, x in results['items'].items()}
    text = json.dumps({**results, 'items': items, 'seconds': time.perf_counter() - at})
    replace(_path(done, variant, seed), text)
    at = time.perf_counter()
  jax.clear_caches()  # the programs of a hundred claims would exhaust a process's memory maps
  return time.perf_counter() - began


def _path(done: Path, variant: str, seed: int) -> Path:
  return done / f'{quote(variant, safe=" ")}.{seed}.json'  # two variants never share a file


def _read(done: Path, variant: str, seed: int) -> dict[str, Any]:
  return json.loads(_path(done, variant, seed).read_text())


def collect(config: Mapping[str, Any], done: Path, seeds: Sequence[int]) -> dict[str, Any]:
  """Collects the results of the runs of a claim, and evaluates it.

  Raises:
    ConfigError: if a metric of the claim is missing in the results.
  """
  name, claim = config['name'], config['claim']
  rows: dict[str, dict[str, list[float]]] = {}
  items: dict[str, dict[str, Any]] = {}
  seconds: dict[str, float] = {}
  said = [*claims.checks(claim), *claims.manipulation(claim)]
  alarms: list[str] = []
  for variant in (name, *claims.settings(claim)):
    for seed in seeds:
      results = _read(done, variant, seed)
      seconds[variant] = seconds.get(variant, 0.0) + results['seconds']
      alarms += [f'{variant}, seed {seed}: {alarm}' for alarm in results['alarms']]
      for row, figures in results['rows'].items():
        if row != name and variant != name:
          continue  # the baselines are the same for every variant
        of = variant if row == name else row
        for metric in dict.fromkeys(check.metric for check in said):
          if metric in figures:
            rows.setdefault(of, {}).setdefault(metric, []).append(figures[metric])
        items[of] = read_items(results['items'].get(row, {}))
  for check in said:
    for row in (name, *check.beats):
      if len(rows.get(row, {}).get(check.metric, ())) != len(seeds):
        known = {r: sorted(of) for r, of in rows.items()}
        raise ConfigError(f'the claim of {name} names {check.metric} of {row}, which was not computed; expected one of {known}')
      if claim.get('seeds') == 'items' and check.metric not in items[row]:
        raise ConfigError(f"the claim of {name} has seeds='items', and its protocol gives no items of {check.metric}; run it over seeds")
  verdict = claims.judge(name, claim, rows, items)
  kinds = dict(comparisons=verdict.comparisons, manipulation=verdict.manipulation, automatic=verdict.automatic)
  told = {kind: [c._asdict() for c in of] for kind, of in kinds.items()}
  curve = _read(done, name, seeds[0])['curve']
  drawn = (
    None if config.get('experiment') else blind.is_drawn([config['data'], *(p['data'] for p in config.get('phases', ()) if p.get('data'))])
  )
  return dict(
    state=verdict.state, **told, flags=verdict.flags, claim=records._plain(claim), seeds=list(seeds), rows=rows, seconds=seconds, curve=curve,
    alarms=alarms, drawn=drawn,
  )  # fmt: skip
