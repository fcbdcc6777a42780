"""Where figures go: metrics.jsonl always, TensorBoard when its writer is installed, a bar on a terminal."""

import csv
import json
import time
from collections.abc import Mapping
from pathlib import Path


class Log:
  """Appends figures to `metrics.jsonl`; `finish` writes them again as `metrics.csv`."""

  def __init__(self, workdir: Path | None, step: int = 0, tensorboard: bool = False):
    self.rows: list[dict] = []
    self.path = workdir / 'metrics.jsonl' if workdir else None
    self.board = None
    if self.path and self.path.exists():
      # A run that resumes at `step` writes the later rows again.
      self.rows = [row for row in map(json.loads, self.path.read_text().splitlines()) if row['step'] <= step]
      self.path.write_text(''.join(json.dumps(row) + '\n' for row in self.rows))
    if tensorboard and workdir:
      from tensorboardX import SummaryWriter

      self.board = SummaryWriter(str(workdir))

  def write(self, step: int, figures: Mapping[str, float]) -> None:
    row = {'step': step, **{k: float(v) for k, v in figures.items()}}
    self.rows.append(row)
    if self.path:
      with self.path.open('a') as f:
        f.write(json.dumps(row) + '\n')
    if self.board:
      for name, value in figures.items():
        self.board.add_scalar(name, float(value), step)

  def finish(self) -> None:
    if self.path and self.rows:
      names = list(dict.fromkeys(name for row in self.rows for name in row))
      with self.path.with_suffix('.csv').open('w', newline='') as f:
        writer = csv.DictWriter(f, names)
        writer.writeheader()
        writer.writerows(self.rows)
    if self.board:
      self.board.close()


class Bar:
  """A live bar: step, loss, rate, time spent waiting for data, time left. Plain lines where there is no terminal."""

  def __init__(self, total: int, start: int, *, examples: int, quiet: bool = False):
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    self.total, self.start, self.examples = total, start, examples
    self.began = time.perf_counter()
    self.waited = 0.0
    console = Console(stderr=True, quiet=quiet)
    self.live = console.is_terminal and not quiet
    self.console, self.said = console, start
    self.progress = Progress(
      TextColumn('{task.description}'), BarColumn(), TextColumn('{task.completed}/{task.total}'),
      TextColumn('{task.fields[figures]}'), TimeElapsedColumn(), TimeRemainingColumn(),
      console=console, disable=not self.live, transient=False,
    )  # fmt: skip
    self.task = self.progress.add_task('training', total=total, completed=start, figures='')

  def __enter__(self):
    self.progress.start()
    return self

  def __exit__(self, *_):
    self.progress.stop()

  def show(self, step: int, loss: float) -> dict[str, float]:
    """Moves the bar and returns the rates of the run so far."""
    seconds = time.perf_counter() - self.began
    rate = (step - self.start) * self.examples / max(seconds, 1e-9)
    waited = self.waited / max(seconds, 1e-9)
    figures = f'loss {loss:.4f}  {rate:.0f} examples/s  data wait {waited:.0%}'
    self.progress.update(self.task, completed=step, figures=figures)
    if not self.live and (step == self.total or step - self.said >= self.total / 10):
      left = seconds / max(step - self.start, 1) * (self.total - step)
      self.console.print(f'step {step}/{self.total}  {figures}  {left:.0f} s left', highlight=False)
      self.said = step
    return {'examples_per_second': rate, 'data_wait': waited}
