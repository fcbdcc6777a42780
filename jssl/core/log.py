"""Where figures go: metrics.jsonl always, TensorBoard when its writer is installed."""

import contextlib
import csv
import io
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jssl.pictures.live import watching


class Log:
  """Appends figures to `metrics.jsonl`; `finish` writes them again as `metrics.csv`. What is not finite is written as null."""

  def __init__(self, workdir: Path | None, step: int = 0, tensorboard: bool = False):
    self.rows: list[dict] = []
    self.path = workdir / 'metrics.jsonl' if workdir else None
    self.board = None
    if self.path and self.path.exists():
      self.rows = list(_whole(self.path, self.path.read_text(errors='replace').splitlines()))
      self.rewind(step)
    if tensorboard and workdir:
      from tensorboardX import SummaryWriter

      self.board = SummaryWriter(str(workdir))

  def rewind(self, step: int) -> None:
    """Takes back the rows after `step`: a run that goes on from there writes them again."""
    self.rows = [row for row in self.rows if row['step'] <= step]
    if self.path:
      replace(self.path, ''.join(json.dumps(row) + '\n' for row in self.rows))

  def write(self, step: int, figures: Mapping[str, float]) -> None:
    values = {k: float(v) for k, v in figures.items()}
    row = {'step': step, **{k: v if math.isfinite(v) else None for k, v in values.items()}}
    self.rows.append(row)
    if watch := watching.get():
      watch(self.rows)
    if self.path:
      with _told(self.path), self.path.open('a') as f:
        f.write(json.dumps(row) + '\n')
    if self.board:
      for name, value in values.items():
        self.board.add_scalar(name, value, step)

  def finish(self) -> None:
    if self.path and self.rows:
      names = list(dict.fromkeys(name for row in self.rows for name in row))
      text = io.StringIO(newline='')
      writer = csv.DictWriter(text, names)
      writer.writeheader()
      writer.writerows(self.rows)
      replace(self.path.with_suffix('.csv'), text.getvalue())
    if self.board:
      self.board.close()


def as_json(value: Any, **options: Any) -> str:
  """A value as JSON that every reader takes: what is not finite is null."""
  return json.dumps(_finite(value), allow_nan=False, **options)


def _finite(value: Any) -> Any:
  if isinstance(value, float) and not math.isfinite(value):
    return None
  if isinstance(value, Mapping):
    return {name: _finite(x) for name, x in value.items()}
  return [_finite(x) for x in value] if isinstance(value, list | tuple) else value


def replace(path: Path, text: str) -> None:
  """Writes a file so that whoever reads it, even after a crash, finds the old text or the new one."""
  part = path.with_name(f'{path.name}.part')
  with _told(path):
    part.write_text(text)
    os.replace(part, path)


def _whole(path: Path, lines: Sequence[str]) -> Iterator[dict]:
  """The rows among the lines; a run that was killed may have left half of one at the end."""
  for i, line in enumerate(lines, 1):
    try:
      row = json.loads(line)
      row['step'] += 0
    except (ValueError, LookupError, TypeError):
      if i < len(lines):
        logging.getLogger('jssl').warning('%s: line %d is damaged and left out', path, i)
      continue
    yield row


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
  try:
    yield
  except OSError as error:
    raise OSError(f'{path} cannot be written ({error.strerror or error}); make room, or give a workdir that can be written') from error
