"""The log of a run: rows of figures in metrics.jsonl, and for those who watch it."""

import csv
import io
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jssl.storage import exists, remote, replace, written

BEST = 'best.json'  # in a workdir: the step with the highest validation figure, and the figure
EVERY = 30  # seconds between two writes of a log in a bucket, where files cannot be appended to


class Log:
  """Appends metrics to `metrics.jsonl`; `finish` also writes them to `metrics.csv`. Non-finite values are written as null.

  In a bucket, the whole file is rewritten by `flush` and every 30 seconds. Each of `watch` is called with all rows whenever they change.
  """

  def __init__(self, workdir: Path | None, step: int = 0, watch: Sequence[Callable[[list[dict]], None]] = ()):
    self.rows: list[dict] = []
    self.path, self.watch = workdir / 'metrics.jsonl' if workdir else None, watch
    self.kept, self.at = 0, time.monotonic()  # rows already in the bucket, and the time of the last write
    if self.path and exists(self.path):
      self.rows = list(_whole(self.path, self.path.read_bytes().decode(errors='replace').splitlines()))
      self.rewind(step)
    else:
      self._show()

  def rewind(self, step: int) -> None:
    """Removes the rows after `step`: a run that continues from there writes them again."""
    self.rows = [row for row in self.rows if row['step'] <= step]
    self._replace()
    self._show()

  def _show(self) -> None:
    for watch in self.watch:
      watch(self.rows)

  def flush(self) -> None:
    """Writes the rows that the bucket does not have yet."""
    if self.path and remote(self.path) and self.kept != len(self.rows):
      self._replace()

  def _replace(self) -> None:
    if self.path:
      replace(self.path, ''.join(json.dumps(row) + '\n' for row in self.rows))
      self.kept, self.at = len(self.rows), time.monotonic()

  def write(self, step: int, figures: Mapping[str, float]) -> None:
    values = {k: float(v) for k, v in figures.items()}
    row = {'step': step, **{k: v if math.isfinite(v) else None for k, v in values.items()}}
    self.rows.append(row)
    self._show()
    if self.path and remote(self.path):
      if time.monotonic() - self.at > EVERY:
        self.at = time.monotonic()
        try:
          self.flush()
        except OSError as error:  # only the next checkpoint needs the rows; until then the bucket may be unreachable
          logging.getLogger('jssl').warning('%s; tried again in %d s', error, EVERY)
    elif self.path:
      with written(self.path), self.path.open('a') as f:
        f.write(json.dumps(row) + '\n')

  def finish(self) -> None:
    self.flush()
    if self.path and self.rows:
      names = list(dict.fromkeys(name for row in self.rows for name in row))
      text = io.StringIO(newline='')
      writer = csv.DictWriter(text, names)
      writer.writeheader()
      writer.writerows(self.rows)
      replace(self.path.with_suffix('.csv'), text.getvalue())


def as_json(value: Any, **options: Any) -> str:
  """Encodes a value as standard JSON: non-finite values become null."""
  return json.dumps(_finite(value), allow_nan=False, **options)


def _finite(value: Any) -> Any:
  if isinstance(value, float) and not math.isfinite(value):
    return None
  if isinstance(value, Mapping):
    return {name: _finite(x) for name, x in value.items()}
  return [_finite(x) for x in value] if isinstance(value, list | tuple) else value


def _whole(path: Path, lines: Sequence[str]) -> Iterator[dict]:
  """The complete rows among the lines; a killed run may have left a partial last row."""
  for i, line in enumerate(lines, 1):
    try:
      row = json.loads(line)
      row['step'] += 0
    except (ValueError, LookupError, TypeError):
      if i < len(lines):
        logging.getLogger('jssl').warning('%s: line %d is damaged and left out', path, i)
      continue
    yield row
