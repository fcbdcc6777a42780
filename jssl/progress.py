"""Progress display of a run."""

import contextlib
import time
from collections.abc import Iterator

BOUND = 0.5  # share of the time spent waiting for data from which a run is said to be bound by its input
SURE = 10.0  # seconds of steps before that is said


class Bar:
  """A live bar: step, loss, rate, time spent waiting for data, remaining time. Prints plain lines if there is no terminal."""

  def __init__(self, total: int, start: int, *, examples: int, quiet: bool = False):
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    self.total, self.start, self.examples = total, start, examples
    self.began = time.perf_counter()
    self.waited = 0.0
    self.paused = 0.0  # time in health panels and checkpoints, as part of the time of steps
    self.mark: tuple[int, float] | None = None  # step and time from which steps are timed, since the first one compiles
    self.first: tuple[int, float, float] | None = None  # the first step, its time, and what had been waited until then
    self.bound = False  # whether it has been said that the run is bound by its input
    console = Console(stderr=True, quiet=quiet)
    console.on_broken_pipe = lambda: None  # a run continues if its output is closed; rich would end it
    self.live = console.is_terminal and console.file.isatty() and not quiet  # FORCE_COLOR does not make a file a terminal
    self.console, self.said = console, start
    self.progress = Progress(
      TextColumn('{task.description}'), BarColumn(), TextColumn('{task.completed}/{task.total}'),
      TextColumn('{task.fields[figures]}'), TimeElapsedColumn(), TimeRemainingColumn(),
      console=console, disable=not self.live, transient=False,
    )  # fmt: skip
    self.task = self.progress.add_task('starting', total=total, completed=start, figures='')

  def __enter__(self):
    self.progress.start()
    return self

  def __exit__(self, *_):
    self.progress.stop()

  @contextlib.contextmanager
  def compiling(self) -> Iterator[None]:
    """Says that a step is compiled, and then how long it took; on a terminal, the bar counts the seconds of the run meanwhile."""
    began = time.perf_counter()
    self.progress.update(self.task, description='compiling')
    if not self.live:
      self.say('compiling the step')
    yield
    self.progress.update(self.task, description='training')
    self.say(f'compiled in {time.perf_counter() - began:.1f} s')

  def start_timing(self, step: int) -> None:
    """Starts the timing of steps; called first when one step has been run."""
    now = time.perf_counter()
    self.mark, self.paused = (step, now), 0.0
    self.first = self.first or (step, now, self.waited)

  def say(self, text: str) -> None:
    """Prints a line above the bar."""
    with contextlib.suppress(OSError):  # a run does not end when its output is closed
      self.console.print(text, highlight=False, soft_wrap=True)

  def show(self, step: int, loss: float) -> dict[str, float]:
    """Updates the bar. Returns the rates since the first step, and the seconds per step since the last update."""
    first, since, before = self.first if self.first and step > self.first[0] else (self.start, self.began, 0.0)
    seconds = max(time.perf_counter() - since, 1e-9)
    rate = max(step - first, 0) * self.examples / seconds
    waited = (self.waited - before) / seconds
    short = f'{loss:.4f}' if abs(loss) < 1e6 else f'{loss:.4g}'  # a line that is too wide would be broken in two
    figures = f'loss {short}  {rate:.0f} examples/s  data wait {waited:.0%}'
    self.progress.update(self.task, completed=step, figures=figures)
    if not self.live and (step == self.total or step - self.said >= self.total / 10):
      left = seconds / max(step - first, 1) * (self.total - step)
      self.say(f'step {step}/{self.total}  {figures}  {left:.0f} s left')
      self.said = step
    if self.first and seconds >= SURE and waited > BOUND and not self.bound:
      self.bound = True
      remedy = 'raise source.threads or source.workers, or pack the data (jssl data pack SOURCE OUT)'
      self.say(f'steps wait for data {waited:.0%} of the time: {remedy}')
    found = {'examples_per_second': rate, 'data_wait': waited}
    if self.mark and step > self.mark[0]:
      found['step_seconds'] = (time.perf_counter() - self.mark[1] - self.paused) / (step - self.mark[0])
      self.start_timing(step)
    return found
