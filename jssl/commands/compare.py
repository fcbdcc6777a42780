"""jssl compare: trains systems under equal budget and compares their figures."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

import jssl
from jssl import processes
from jssl.commands.results import print_table, table
from jssl.commands.settings import jobs_of, new_workdir, of_data, protocols
from jssl.console import settle
from jssl.core.log import as_json
from jssl.errors import UsageError


def run(arguments, overrides) -> None:
  of_data(arguments.data)  # refuses one without a place
  if (asked := protocols(arguments)) == []:
    raise UsageError('--protocol=none leaves nothing to compare; name evaluations, or leave it out')
  workdir = arguments.workdir or new_workdir('compare')
  say = lambda line: print(line, file=sys.stderr, flush=True)
  with processes.workers(jobs_of(arguments), ready=settle) as spread:
    result = jssl.compare(
      arguments.names, arguments.data, workdir=workdir, seeds=arguments.seeds, split=arguments.split, protocols=asked, settings=overrides,
      map=spread, say=say,
    )  # fmt: skip
  if arguments.json:
    print(as_json(result))
  else:
    show(result)
    print(f'{workdir}: compare.json' + (', compare.png' if result['metrics'] else '') + ', a folder for each run')
  if failed := [name for name, of in result['methods'].items() if any(of['failed'])]:
    raise UsageError(f'{len(failed)} of {len(result["methods"])} methods failed: {", ".join(failed)}; the others are compared')


def show(result: Mapping[str, Any]) -> None:
  """Prints a comparison: figures with their differences to the first method, and what they rest on."""
  names = [name for name, of in result['methods'].items() if 'figures' in of]
  for name, of in result['methods'].items():
    for seed, why in zip(result['seeds'], of['failed'], strict=True):
      if why:
        print(f'{name}, seed {seed}, failed: {why}')
    for seed, alarms in zip(result['seeds'], of['alarms'], strict=True):
      for line in alarms:
        print(f'{name}, seed {seed}, collapse alarm: {line}')
  if names:
    shown = table('', *result['metrics'], 'parameters', 'encoder', 'seconds')
    shown.add_row('raw input', *(mean(result['raw_input'], metric) for metric in result['metrics']), '', '', '')
    for name in names:
      of = result['methods'][name]
      cells = [f'{mean(of["figures"], metric)} {difference(result, metric, name, names[0])}' for metric in result['metrics']]
      size = [f'{of[key]:,}' if of[key] else '' for key in ('parameters', 'encoder')]
      spent = [x for x in of['seconds'] if x is not None]
      shown.add_row(name, *cells, *size, f'{np.mean(spent):.0f}' if spent else '')
      shown.add_row('  untrained', *(mean(of['random_init'], metric) for metric in result['metrics']), '', '', '')
    print_table(shown)
    for metric in result['metrics']:
      print(verdict(result, metric, names))
  for line in footnotes(result):
    print(line)


def footnotes(result: Mapping[str, Any]) -> list[str]:
  """What the figures of a comparison rest on, and what they may be used for."""
  budget, seeds = result['budget'], result['seeds']
  steps = f'{budget["steps"]} steps ({budget["epochs"]:g} epochs) of {budget["batch_size"]}'
  which = f'seeds {seeds[0]} to {seeds[-1]}' if len(seeds) > 1 else f'seed {seeds[0]}'
  by_seed = f"over seeds, by Student's t on {len(seeds)} paired runs"
  by_item = 'over test items, resampled in pairs; they leave out the variation between seeds'
  choose = 'The highest of several figures on a test split is too high on average: choose without --split test, then report with it.'
  return [
    f'Each method: {steps} on {budget["examples"]} examples of {budget["data"]}, {which}; its other options are those of its config.',
    f'The figures are from {result["source"]}.',
    choose if result['split'] == 'test' else 'Report the figures of the method that you choose with --split test.',
    f'In brackets: one-sided 95 % bounds of the difference to the first method {by_seed if len(seeds) > 1 else by_item}.',
    'Each bound holds for one comparison, not for all together.',
  ]


def mean(figures: Mapping[str, Any], metric: str) -> str:
  return f'{np.mean(figures[metric]):.3f}' if metric in figures else ''


def difference(result: Mapping[str, Any], metric: str, name: str, to: str) -> str:
  """The difference of two methods with its bounds; empty for one and the same, or if it could not be paired."""
  for d in result['differences']:
    if (d['metric'], d['method'], d['to']) == (metric, name, to):
      return f'{d["mean"]:+.3f} [{d["low"]:+.3f}, {d["high"]:+.3f}]'
  return ''


def verdict(result: Mapping[str, Any], metric: str, names: list[str]) -> str:
  """The method with the highest figure, and the others that are not shown to be below it."""
  if len(names) < 2:
    return f'{metric}: {names[0]} is the only method without a failed run'
  top = max(names, key=lambda name: np.mean(result['methods'][name]['figures'][metric]))
  ahead = {}
  for d in result['differences']:
    if d['metric'] == metric and top in (d['method'], d['to']) and {d['method'], d['to']} <= {*names}:
      ahead[d['to'] if d['method'] == top else d['method']] = d['low'] > 0 if d['method'] == top else d['high'] < 0
  if not ahead:
    return f'{metric}: {top} is highest; no bounds, as its protocol gives no values of test items and there is one seed'
  unclear = [name for name, shown in ahead.items() if not shown]
  return f'{metric}: {top} is highest, ' + (f'not shown to be above {", ".join(unclear)}' if unclear else 'above all others')
