"""Plots of a run in progress, in a notebook."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jssl.pictures.run import log_picture

Rows = Sequence[Mapping[str, Any]]
LIVE = ('loss', 'rank', 'deviation')  # the panels shown during training
SECONDS, SHARE = 1.0, 0.2  # minimal seconds between two plots, and their maximal share of the run time


@contextlib.contextmanager
def drawn(name: str, steps: int, examples: int) -> Iterator[list[Callable[[Rows], None]]]:
  """Plots the log of a run in a notebook. Yields a list of what is to be called with the rows of the log; empty if this is no notebook.

  Args:
    name: name of the run.
    steps: steps of the whole run.
    examples: examples per step.
  """
  display = notebook()
  drawings = [_Drawing(display, name, steps, examples)] if display else []
  try:
    yield drawings
  finally:
    for drawing in drawings:
      drawing.finish()


def notebook() -> Callable | None:
  """`IPython.display.display` in a Jupyter kernel; None in a terminal, in a script, and without IPython."""
  ipython = sys.modules.get('IPython')  # a kernel has imported it
  shell = ipython and ipython.get_ipython()
  if getattr(shell, 'kernel', None) is None:
    return None
  from IPython.display import display

  return display


class _Drawing:
  """One display of a notebook that is redrawn when rows arrive, at most once per second."""

  def __init__(self, display: Callable, name: str, steps: int, examples: int):
    self.display, self.name, self.steps, self.examples = display, name, steps, examples
    self.handle, self.next, self.rows, self.shown = None, 0.0, [], 0

  def __call__(self, rows: Rows) -> None:
    self.rows = rows
    if rows and (time.monotonic() >= self.next or rows[-1]['step'] == self.steps):
      self.show(rows)

  def finish(self) -> None:
    """Plots the remaining rows when a run has stopped."""
    if len(self.rows) > self.shown:
      self.show(self.rows)

  def show(self, rows: Rows) -> None:
    began = time.monotonic()
    figure = log_picture(rows, self._title(rows), panels=LIVE)
    if self.handle is None:
      self.handle = self.display(figure, display_id=True)
    else:
      self.handle.update(figure)
    self.next = began + max(SECONDS, (time.monotonic() - began) / SHARE)
    self.shown = len(rows)

  def _title(self, rows: Rows) -> str:
    step = rows[-1]['step']
    rate = next((row['examples_per_second'] for row in reversed(rows) if 'examples_per_second' in row), 0)
    left = f', {(self.steps - step) * self.examples / rate:.0f} s left' if rate and step < self.steps else ''
    return f'{self.name}: step {step} of {self.steps}, {rate:.0f} examples/s{left}'
