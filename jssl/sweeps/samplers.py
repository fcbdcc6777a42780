"""Optuna's samplers, told of the trials that are recorded."""

from collections.abc import Mapping
from typing import Any

from jssl.errors import UsageError
from jssl.sweeps.space import Choice, Space, grid

SAMPLERS = ('grid', 'tpe', 'random')


class Grid:
  """Proposes all combinations of listed values in order."""

  def __init__(self, space: Space):
    self.points = grid(space)

  def ask(self, number: int) -> dict[str, int]:
    """The points of a new trial."""
    return self.points[number]

  def tell(self, number: int, points: Mapping[str, Any], score: float | None) -> None:
    """Scores do not change what a grid proposes."""


class Study:
  """Proposes points of a space by one of Optuna's samplers.

  The study is in memory, and is told of all recorded trials when a sweep goes on: their records are JSON, and nothing is unpickled.

  Args:
    space: the options and their values.
    sampler: 'tpe' or 'random'.
    lower: whether a lower score is better.
    seed: of the sampler; a sweep that goes on takes another, so that the same points are not proposed again.
  """

  def __init__(self, space: Space, sampler: str, lower: bool, seed: int):
    try:
      import optuna
    except ImportError as error:
      raise UsageError(f"--sampler {sampler} needs Optuna, which is not here: pip install 'jssl[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    self.optuna = optuna
    of = dict(tpe=optuna.samplers.TPESampler, random=optuna.samplers.RandomSampler)[sampler](seed=seed)
    self.study = optuna.create_study(sampler=of, direction='minimize' if lower else 'maximize')
    self.distributions = {option: self.distribution(of) for option, of in space.items()}
    self.asked: dict[int, Any] = {}  # number of a trial -> Optuna's

  def distribution(self, of: Any) -> Any:
    """The values of an option as one of Optuna's distributions; those in a list by their index."""
    if isinstance(of, Choice):
      return self.optuna.distributions.CategoricalDistribution(tuple(range(len(of.values))))
    whole = isinstance(of.low, int) and isinstance(of.high, int)
    return (self.optuna.distributions.IntDistribution if whole else self.optuna.distributions.FloatDistribution)(of.low, of.high, log=of.log)

  def ask(self, number: int) -> dict[str, Any]:
    """The points of a new trial."""
    self.asked[number] = trial = self.study.ask(self.distributions)
    return dict(trial.params)

  def tell(self, number: int, points: Mapping[str, Any], score: float | None) -> None:
    """The score of a trial, proposed now or by an earlier call; None if it failed."""
    state = self.optuna.trial.TrialState.FAIL if score is None else self.optuna.trial.TrialState.COMPLETE
    if number in self.asked:
      self.study.tell(self.asked[number], score, state)
    else:
      self.study.add_trial(self.optuna.trial.create_trial(params=dict(points), distributions=self.distributions, value=score, state=state))


def check(sampler: str | None, space: Space, trials: int | None) -> tuple[str, int]:
  """The sampler and the number of trials of a sweep, where some may be left out: a grid, if no option has a range.

  Raises:
    UsageError: for an unknown sampler, a sampler without a number of trials, or a grid with one.
  """
  listed = all(isinstance(of, Choice) for of in space.values())
  sampler = sampler or ('grid' if listed and trials is None else 'tpe')
  if sampler not in SAMPLERS:
    raise UsageError(f'--sampler {sampler}: expected one of {", ".join(SAMPLERS)}')
  if sampler == 'grid':
    count = len(grid(space))
    if trials not in (None, count):
      raise UsageError(f'--trials {trials}: a grid has {count} trials, one for each combination; leave it out, or give --sampler tpe or random')
    return sampler, count
  if trials is None or trials < 1:
    raise UsageError(f'--sampler {sampler} needs the number of trials, as --trials 20')
  return sampler, trials
