"""Times processes of `jssl.bench.served` in interleaved turns."""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from jssl.errors import JsslError

TURN = 2.0  # seconds that a turn takes at least
MOST = 500  # iterations in a turn


class Contestant:
  """A process that trains in turns. It and its workers are stopped between these, so that none prepares batches in the time of another.

  Args:
    place: 'MODULE:FUNCTION', with the function `(config) -> Trainer`.
    arguments: name of the system and settings of its config.

  Attributes:
    facts: what the process says of its training.

  Raises:
    JsslError: the process ended, with the last line that it wrote.
  """

  def __init__(self, place: str, arguments: Sequence[str]):
    self.place, self.said = place, tempfile.TemporaryFile('w+')  # noqa: SIM115 - as long as the process lives
    command = [sys.executable, '-m', 'jssl.bench.served', place, *arguments]
    self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True, start_new_session=True)
    self.facts: Mapping[str, Any] = json.loads(self._answer())
    self._signal(signal.SIGSTOP)

  def turn(self, iterations: int) -> float:
    """Runs some iterations and returns the seconds of each."""
    assert self.process.stdin
    self._signal(signal.SIGCONT)
    self.process.stdin.write(f'{iterations}\n')
    self.process.stdin.flush()
    seconds = float(self._answer())
    self._signal(signal.SIGSTOP)
    return seconds / iterations

  def close(self) -> None:
    self._signal(signal.SIGKILL)
    self.process.communicate()
    self.said.close()

  def _signal(self, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self.process.pid, number)

  def _answer(self) -> str:
    assert self.process.stdout
    if line := self.process.stdout.readline():
      return line
    self.said.seek(0)
    last = self.said.read().strip().split('\n')[-1]
    self.close()
    ours, _, why = last.partition(': ')
    raise JsslError(why if ours.startswith('jssl.errors.') else f'{self.place} cannot train this: {last}')


def interleaved(contestants: Sequence[Contestant], rounds: int) -> list[list[float]]:
  """Seconds of an iteration in each round, for each contestant. All take a turn in every round, in alternating order."""
  lengths = [_length(one) for one in contestants]
  times: list[list[float]] = [[] for _ in contestants]
  for i in range(rounds):
    order = range(len(contestants))
    for j in order if i % 2 else reversed(order):
      times[j].append(contestants[j].turn(lengths[j]))
  return times


def _length(one: Contestant) -> int:
  """The iterations of a turn: a multiple of those of an epoch, if the library can only train whole epochs."""
  least = one.facts.get('multiple', 1)
  return max(min(round(TURN / one.turn(least)), MOST) // least, 1) * least


def compared(times: Sequence[Sequence[float]]) -> list[dict[str, float]]:
  """Medians, and the median over rounds of the time over that of the first contestant, with the quartiles."""
  found = []
  for mine in times:
    ratios = sorted(b / a for a, b in zip(times[0], mine, strict=True))
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    found.append(dict(seconds=statistics.median(mine), ratio=statistics.median(ratios), ratio_low=low, ratio_high=high))
  return found
