"""Comparison of methods trained under equal budget on the same data: the figures of each, and paired differences with their bounds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jssl import several
from jssl.api import named, setting
from jssl.core.build import Plan
from jssl.core.log import as_json
from jssl.errors import ConfigError, UsageError
from jssl.evaluators.figures import read_items
from jssl.keys import DEFAULTS
from jssl.ledger import blind, claims
from jssl.pictures.comparison import comparison_picture
from jssl.several import Task
from jssl.storage import replace

BUDGET = ('batch_size', 'epochs', 'steps', 'evaluators')  # what all methods take from the first
RAW, UNTRAINED = 'raw_input', 'random_init'


def compare(
  methods: Sequence[str],
  data: Any = None,
  *,
  workdir: str | Path,
  seeds: int = 3,
  split: str = 'validation',
  protocols: Sequence[str] | None = None,
  settings: Mapping[str, Any] | Sequence[str] = (),
  map: Callable = map,
  say: Callable[[str], None] = print,
) -> dict[str, Any]:
  """Trains methods under equal budget and compares their figures.

      found = jssl.compare(['simclr', 'byol', 'vicreg'], data=images, workdir='runs/three', settings=dict(epochs=20))
      found['methods']['byol']['figures']['knn_top1']      # one figure per seed
      found['differences']                                 # paired, with one-sided 95 % bounds

  All methods are trained on the same data for the same number of steps, with the batch size, the seeds and the evaluation protocols of the
  first. Runs that have ended are not run again, and those that were stopped go on.

  Args:
    methods: systems, 'simclr' or 'simclr:tiny', or files with a `get_config`.
    data: as in `jssl.train`; None for the data of the configs, which must be the same.
    workdir: folder of the comparison; each run has a folder in it.
    seeds: number of runs of each method. With one, test items are resampled instead.
    split: 'validation' to choose a method, 'test' for the final figures of one that was chosen.
    protocols: evaluations by name, such as ('knn', 'linear'); None for those of the first method.
    settings: options for all methods by their path, {'epochs': 5}, or a list of 'x.y=v'.
    map: executes the runs; that of `processes.workers` runs several at a time.
    say: called with a line for each run that ends.

  Returns:
    The contents of `compare.json`: methods, raw_input, differences, budget, seeds, source, settings. `compare.png` plots them.

  Raises:
    ConfigError: if a method cannot be built on the data, or would be trained for another number of steps.
    UsageError: for fewer than two methods, two of the same name, or methods on different data.
  """
  if not 1 <= seeds < blind.FIRST_FINAL:
    raise UsageError(f'{seeds} seeds: give 1 to {blind.FIRST_FINAL - 1}')
  if split not in several.SPLITS:
    raise UsageError(f'split {split!r}: expected one of {", ".join(several.SPLITS)}')
  names = labelled(methods)
  own = [setting(*item) for item in settings.items()] if isinstance(settings, Mapping) else [x.removeprefix('--config.') for x in settings]
  if data is None and not any(x.startswith('data.name=') for x in own):
    same_data(names)
  shared = tuple([*budget(methods[0], own), *([] if data is None else [f'data={named(data)!r}']), *own])
  folder = several.local(workdir)
  begin = several.run.load_config(methods[0], shared).get('seed', 0)
  asked = None if protocols is None else tuple(protocols)
  tasks = {
    (label, seed): Task(name, shared, seed, split, str(folder / f'{label.replace(":", "-")}-{seed}'), asked)
    for seed in range(begin, begin + seeds) for label, name in names.items()
  }  # fmt: skip
  plans = {label: several.planned(tasks[label, begin]) for label in names}  # what cannot be built is reported before hours are spent on others
  spent = equal(plans)
  left = {key: task for key, task in tasks.items() if not several.kept(task, several.mark(task, plans[key[0]]))}
  for (label, seed), found in zip(left, map(several.once, left.values()), strict=True):
    say(f'{label}, seed {seed}: {several.summary(found)}')
  outcomes = {key: several.outcome(task) for key, task in tasks.items()}
  which = list(range(begin, begin + seeds))
  result = collected({label: [outcomes[label, seed] for seed in which] for label in names})
  result |= dict(seeds=which, budget=spent, split=split, source=several.source_of(next(iter(plans.values())), split), settings=own)
  replace(folder / 'compare.json', as_json(result, indent=1))
  if result['metrics']:
    comparison_picture(result, folder / 'compare.png')
  return result


def labelled(methods: Sequence[str]) -> dict[str, str]:
  """Label -> system or file: a file is labelled by its stem.

  Raises:
    UsageError: for fewer than two methods, or two with the same label.
  """
  if len(methods) < 2:
    raise UsageError(f'{" ".join(methods) or "no method"}: give at least two methods to compare')
  labels = [Path(name).name.replace('.py', '') for name in methods]
  if twice := [label for label in labels if labels.count(label) > 1 or label in (RAW, UNTRAINED)]:
    raise UsageError(f'{twice[0]} cannot name one method of the comparison; give each method once, and files with different names')
  return dict(zip(labels, map(several.placed, methods), strict=True))


def same_data(names: Mapping[str, str]) -> None:
  """Checks that the configs of methods have the same data, but for crops, which belong to the views of a method.

  Raises:
    UsageError: if they do not.
  """
  specs = {label: several.run.load_config(name).get('data') for label, name in names.items()}
  plain = {label: {k: x for k, x in spec.to_dict().items() if k != 'crop'} if spec else None for label, spec in specs.items()}
  (first, of), *others = plain.items()
  for label, other in others:
    if other != of:
      raise UsageError(f'{first} is on the data {of} and {label} on {other}; give --data SOURCE, or the name of a data set, for all of them')


def budget(first: str, own: Sequence[str]) -> list[str]:
  """The settings that give every method the budget of the first one, with the settings of the user."""
  config = several.run.load_config(first, several.lengths(own)).to_dict()
  return [f'{key}={config.get(key, DEFAULTS.get(key))!r}' for key in BUDGET]


def equal(plans: Mapping[str, Plan]) -> dict[str, Any]:
  """The budget of methods: data, training examples, batch size and steps.

  Raises:
    ConfigError: if it is not the same for all.
  """
  of = {
    label: dict(
      data=p.data.info.get('name'), examples=len(p.data.splits['train']), batch_size=p.config['batch_size'], steps=p.steps,
      epochs=round(p.steps / p.epoch, 2),
    )
    for label, p in plans.items()
  }  # fmt: skip
  (first, spent), *others = of.items()
  for label, other in others:
    if other != spent:
      raise ConfigError(f'{first} would be trained with {spent}, and {label} with {other}; set epochs or steps, and the data, for all of them')
  return spent


def collected(outcomes: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
  """The figures of all methods by seed, and their differences; a method of which a run failed is listed, and not compared.

  Args:
    outcomes: label -> outcomes of its runs, in the order of the seeds.
  """
  well = {label: of for label, of in outcomes.items() if not any(found['failed'] for found in of)}
  figures = [found['figures'] for of in well.values() for found in of]
  metrics = [m for m in (figures[0] if figures else ()) if not m.endswith(several.OTHERS) and all(m in row for row in figures)]
  by_seed = lambda rows: {m: [row[m] for row in rows] for m in metrics if all(m in row for row in rows)}
  baseline = lambda of, row: by_seed([found['baselines'].get(row, {}) for found in of])
  methods = {}
  for label, of in outcomes.items():
    methods[label] = {key: [found[key] for found in of] for key in ('failed', 'seconds', 'alarms')}
    methods[label] |= {key: of[0][key] for key in ('parameters', 'encoder')}
    if label in well:
      methods[label] |= dict(figures=by_seed([found['figures'] for found in of]), random_init=baseline(of, UNTRAINED))
      methods[label]['interval'] = {m: interval(m, of) for m in metrics}
  raw = baseline(next(iter(well.values())), RAW) if well else {}
  found = [d for i, label in enumerate(well) for d in differences(label, [*well][:i], well, methods, raw)]
  return dict(methods=methods, raw_input=raw, metrics=metrics, differences=found)


def interval(metric: str, of: Sequence[Mapping[str, Any]]) -> list[float] | None:
  """One-sided 95 % bounds of the mean over seeds; with one seed the 95 % interval of the protocol, if it gives one."""
  if len(of) > 1:
    return list(claims.bounds([found['figures'][metric] for found in of]))
  ends = [of[0]['figures'].get(f'{metric}{end}') for end in ('_low', '_high')]
  return None if None in ends else ends


def differences(label: str, before: Sequence[str], well: Mapping[str, Any], methods: Mapping[str, Any], raw: Mapping[str, Any]) -> list[dict]:
  """The paired differences of a method to those before it, to raw input and to its untrained network, with one-sided 95 % bounds.

  They are paired by seed, and with one seed by test item.
  """
  over_items = len(well[label]) == 1
  rows = {other: methods[other]['figures'] for other in (*before, label)} | {RAW: raw, UNTRAINED: methods[label]['random_init']}
  of_row = lambda other, row: read_items(well[other][0]['items'].get(row, {}))
  items = {other: of_row(other, several.TRAINED) for other in (*before, label)} | {row: of_row(label, row) for row in (RAW, UNTRAINED)}
  found = []
  for metric in rows[label]:
    beats = [row for row in rows if row != label and metric in rows[row]]
    if over_items:
      beats = [row for row in beats if metric in items[row] and metric in items[label]]
    for c in claims.compare(claims.Check(metric, tuple(beats), 0.0), label, rows, items, over_items):
      found.append(dict(metric=metric, method=label, to=c.other, mean=c.mean, low=c.low, high=c.high, differences=c.differences))
  return found
