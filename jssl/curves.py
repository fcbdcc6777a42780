"""Figures of the networks on validation data during a run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding

from jssl.core.build import Plan, judges
from jssl.core.log import BEST, Log, as_json
from jssl.core.mesh import BATCH, make_mesh
from jssl.core.phases import phase_at
from jssl.core.step import TrainState
from jssl.data.core.arrays import Columns, resident
from jssl.data.core.operators import Rows
from jssl.data.core.order import permutation
from jssl.errors import ConfigError
from jssl.evaluators.baselines import raw_input, too_large
from jssl.evaluators.features import holdout
from jssl.evaluators.figures import flatten
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.subject import Subject
from jssl.ops.rows import over_devices, take
from jssl.options import closest, lookup
from jssl.pictures.curves import PREFIX, RAW, curve_picture, curves_of
from jssl.storage import replace
from jssl.types import Data, Examples

QUICK = ('knn', 'logistic')  # evaluators that judge 5,000 examples in seconds
LEAST = 0.2  # share of the examples that is held out of a small data set


class Curves:
  """Evaluates the networks of a run on validation data, and writes the figures to its log.

  Args:
    p: the plan; its `curves` has
      protocols: labels of its evaluators, or names; None for those in QUICK.
      rows: examples that evaluators learn from, and examples that are judged, at most.
      best: the figure whose highest value is to be kept, 'knn_top1'.
    evaluators: label -> evaluator of the features of 'train' and 'test'.
    workdir: where `curves.png` and `best.json` are written; None for nowhere.
  """

  def __init__(self, p: Plan, evaluators: Mapping[str, Callable], workdir: Path | None):
    self.p, self.evaluators, self.workdir, self.best = p, evaluators, workdir, p.config['curves']['best']
    self.data = validation(p.data, p.config['curves']['rows'])
    self.raw = not too_large(self.data, evaluators.values(), p.config['raw_limit'])
    self.programs: dict[int, Callable] = {}  # phase -> the jitted representation, which compiles once

  def __call__(self, train: TrainState, log: Log, say: Callable[[str], None]) -> float | None:
    """Evaluates a state of the run, unless the log has the figures of its step.

    Returns:
      The figure `best` if no earlier step had as high a one, else None. The networks at step 0 are not a candidate.
    """
    step = int(train.step)
    known = lambda prefix, rows: any(name.startswith(prefix) for row in rows for name in row)
    if not known(PREFIX, [row for row in log.rows if row['step'] == step]):
      try:
        figures = self.figures(self.subject(train))
      except ValueError as error:  # features that are not finite do not end a run: its guard decides on that
        say(f'step {step} could not be evaluated: {error}')
        return None
      if self.best and self.best not in figures:
        raise ConfigError(f'curves.best is {self.best!r}{closest(self.best, figures)}')
      row = {f'{PREFIX}{name}': x for name, x in figures.items()}
      if self.raw and not known(RAW, log.rows):
        of_raw = self.figures(Subject(self.data, raw_input(self.data, standardize=False)), raw=True)
        row |= {f'{RAW}{name}': x for name, x in of_raw.items()}
      log.write(step, row)
      say(f'step {step}  validation {", ".join(f"{name} {x:.4f}" for name, x in figures.items())}')
    curves, best = curves_of(log.rows), best_of(log.rows, self.best)
    if self.workdir:
      curve_picture(curves, self.p.config['name'] or 'trained', self.workdir / 'curves.png', best and best['step'])
      if best:
        replace(self.workdir / BEST, as_json(best))
    return best['value'] if best and best['step'] == step else None

  def subject(self, train: TrainState) -> Subject:
    """The networks of a state, on the validation data."""
    phase = phase_at(self.p.phases, int(train.step))
    if phase not in self.programs:
      self.programs[phase] = jax.jit(self.p.method_of(int(train.step)).represent, static_argnames='network')
    return subject_of(self.p, train, self.data, self.programs[phase])

  def figures(self, subject: Subject, raw: bool = False) -> dict[str, float]:
    """The figures of all evaluators, without their intervals."""
    key = jax.random.key(self.p.config['seed'])
    found = {label: judge(subject, key) for label, judge in self.evaluators.items() if judge.func.raw or not raw}
    return {name: x for name, x in flatten(found).items() if not name.endswith(('_low', '_high', '_std', '_validation'))}


def make_curves(p: Plan, workdir: Path | None) -> Curves | None:
  """The curves that a config asks for by `evaluate_every`; None if it does not.

  Raises:
    ConfigError: for an unknown evaluator, one that does more than judge features of the training split, data without classes, or a run of
      several processes.
  """
  if not p.config['evaluate_every'] or not p.steps:
    return None
  if jax.process_count() > 1:
    raise ConfigError(
      f'evaluate_every is not supported with several processes, and this run has {jax.process_count()}: set evaluate_every=None'
    )
  asked, best = p.config['curves']['protocols'], p.config['curves']['best']
  named = {label: spec if isinstance(spec, str) else spec['name'] for label, spec in p.config['evaluators'].items()}
  for name in asked or ():
    if name not in named:
      lookup('evaluators', name, 'curves.protocols')
  labels = [label for label, name in named.items() if name in QUICK] if asked is None else asked
  evaluators = {label: p.evaluators[label] if label in named else judges({label: label})[label] for label in labels}
  if not evaluators:
    raise ConfigError(
      f"evaluate_every found none of {', '.join(QUICK)} among the evaluators; select others, as in curves=dict(protocols=('knn',))"
    )
  if best and not any(best.startswith(f'{label}_') for label in evaluators):
    raise ConfigError(f'curves.best is {best!r}, which is not a figure of {", ".join(evaluators)}; expected one such as {labels[0]}_top1')
  try:
    curves = Curves(p, evaluators, workdir)
    for label, judge in evaluators.items():
      if others := {*judge.func.needs} - {*TRAIN, *TEST}:
        raise ValueError(f'{label} reads {", ".join(sorted(others))}; expected one that reads only inputs and labels, such as knn')
      judge.func.check(Subject(curves.data, None, {'backbone': None}), **judge.keywords)
  except ValueError as error:
    raise ConfigError(f'evaluate_every: {error}') from error
  return curves


def validation(data: Data, rows: int) -> Data:
  """Data whose 'test' is held out of the training split, or is the split 'validation' if there is one; the test split is not in it.

  The examples are drawn with a fixed seed, so that every run and every representation is judged on the same ones.

  Args:
    data: the data of a run.
    rows: examples in 'train' and in 'test', at most. Of fewer than 2 * rows examples a larger share is for 'train', up to 80 %.

  Raises:
    ValueError: if there are no classes, or too few examples.
  """
  if 'label' not in data.spec:
    raise ValueError(f"figures need the column 'label', but the data have {sorted(data.spec)}; set evaluate_every=None")
  train = data.splits['train']
  some = lambda split, n: np.sort(permutation(len(split), 0)[:n])
  if 'validation' in data.splits:
    parts = dict(train=(train, some(train, rows)), test=(data.splits['validation'], some(data.splits['validation'], rows)))
  else:
    rows_of_both = some(train, 2 * rows)
    labels = np.concatenate([take(train, part, ['label'])['label'] for part in np.array_split(rows_of_both, -(-len(rows_of_both) // 512))])
    held = holdout(labels, max(1 - rows / len(rows_of_both), LEAST))
    parts = dict(train=(train, rows_of_both[~held]), test=(train, rows_of_both[held]))
  return data._replace(splits={name: _some(*part) for name, part in parts.items()})


def _some(split: Examples, rows: np.ndarray) -> Examples:
  held = resident(split)
  return Columns(held.take(rows)) if held else Rows(split, rows)


def subject_of(p: Plan, train: TrainState, data: Data, represent: Callable) -> Subject:
  """A state of a run as the subject of evaluators.

  Args:
    p: the plan.
    train: the state.
    data: the data to be judged on.
    represent: the representation of the state's method, jitted.
  """
  method = p.method_of(int(train.step))
  mesh = train.step.sharding.mesh if isinstance(train.step.sharding, NamedSharding) else None
  place = NamedSharding(mesh if mesh and mesh.size > 1 else make_mesh(devices=jax.local_devices()), BATCH)
  of = over_devices(represent, (train.params, train.state), place)
  return Subject(data, of, method.networks(train.params, train.state), p.transform, method.inputs, place, train.state['memories'])


def best_of(rows: list[dict[str, Any]], figure: str | None) -> dict[str, Any] | None:
  """The step of the highest value of a figure in a log, the first of several; None if there is none after step 0."""
  values = {row['step']: x for row in rows if row['step'] and (x := row.get(f'{PREFIX}{figure}')) is not None}
  step = max(values, key=values.get, default=None)
  return None if step is None else dict(step=step, figure=figure, value=values[step])
