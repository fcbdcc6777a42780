"""Phases of a run, which follow each other, and the alternating turns of updates within a phase."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optax

from jssl.starts import Outside
from jssl.types import Array, Batch, Data, Method, Refresh


class Turn(NamedTuple):
  """Updates of one kind: one method, and the networks that it trains."""

  method: Method
  optimizer: optax.GradientTransformation
  learning_rate: Callable[[Any], Array]  # number of this turn's updates so far -> learning rate, for the log
  trained: tuple[str, ...]  # networks and parts of networks with a gradient; the rest is fixed and has no optimiser state
  frozen: tuple = ()  # parts of these that are frozen nevertheless, in the format of `starts.places`
  updates: int = 1  # consecutive updates before the next turn


class Phase(NamedTuple):
  """A contiguous part of a run, with its own programs."""

  first: int  # the step of the run at which the phase begins
  steps: int
  turns: tuple[Turn, ...]  # one, or several that alternate
  data: Data
  batch: Batch  # shapes of one global batch
  epoch: int  # steps in an epoch
  refreshes: Mapping[str, Refresh]
  begin: Outside | None = None  # another run whose networks initialise this phase

  @property
  def last(self) -> int:
    """The step of the run at which the phase has ended."""
    return self.first + self.steps

  def turn(self, step: int) -> int:
    """The index of the turn that updates at a step of the run."""
    at = (step - self.first) % sum(turn.updates for turn in self.turns)
    for i, turn in enumerate(self.turns):
      if at < turn.updates:
        return i
      at -= turn.updates
    raise AssertionError('a cycle has as many steps as its turns have updates')

  def count(self, step: int) -> int:
    """The number of earlier updates of the turn that updates at this step."""
    cycle = sum(turn.updates for turn in self.turns)
    own = self.turn(step)
    rounds, at = divmod(step - self.first, cycle)
    return rounds * self.turns[own].updates + at - sum(turn.updates for turn in self.turns[:own])


def phase_at(phases: tuple[Phase, ...], step: int) -> int:
  """The phase of the state after `step` steps; at a boundary, the phase that has just ended."""
  return next((i for i, phase in enumerate(phases) if step <= phase.last), len(phases) - 1)
