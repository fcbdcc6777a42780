"""Phases of a run: what is trained on what, one after the other; and the turns that updates take within one."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optax

from jssl.starts import Outside
from jssl.types import Array, Batch, Data, Method, Refresh


class Turn(NamedTuple):
  """Updates of one kind: by one method, of some networks."""

  method: Method
  optimizer: optax.GradientTransformation
  learning_rate: Callable[[Any], Array]  # number of this turn's updates so far -> learning rate, for the log
  trained: tuple[str, ...]  # networks and parts of them that have a gradient; all else is held still, and has no optimiser state
  frozen: tuple = ()  # parts of these that are held still all the same, as `starts.places` gives them
  updates: int = 1  # in a row, before the next turn


class Phase(NamedTuple):
  """A stretch of a run, with programs of its own."""

  first: int  # the step of the run at which it begins
  steps: int
  turns: tuple[Turn, ...]  # one, or several that alternate
  data: Data
  batch: Batch  # shapes of one global batch
  epoch: int  # steps in an epoch
  refreshes: Mapping[str, Refresh]
  begin: Outside | None = None  # another run whose networks it begins with

  @property
  def last(self) -> int:
    """The step of the run at which it has ended."""
    return self.first + self.steps

  def turn(self, step: int) -> int:
    """Whose update a step of the run is."""
    at = (step - self.first) % sum(turn.updates for turn in self.turns)
    for i, turn in enumerate(self.turns):
      if at < turn.updates:
        return i
      at -= turn.updates
    raise AssertionError('a cycle has as many steps as its turns have updates')

  def count(self, step: int) -> int:
    """How many updates the turn of a step has had before it."""
    cycle = sum(turn.updates for turn in self.turns)
    own = self.turn(step)
    rounds, at = divmod(step - self.first, cycle)
    return rounds * self.turns[own].updates + at - sum(turn.updates for turn in self.turns[:own])


def phase_at(phases: tuple[Phase, ...], step: int) -> int:
  """The phase that the state after `step` steps belongs to: at a boundary the one that has just ended."""
  return next((i for i, phase in enumerate(phases) if step <= phase.last), len(phases) - 1)
