"""One process of several that encode a split together; what `test_extraction.py` starts.

python -m tests.evaluators.reads_a_share FOLDER COUNT COORDINATOR PROCESS
"""

import sys
from pathlib import Path

import jax
import numpy as np

from jssl import processes
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.evaluators import extract
from jssl.ops import rows
from jssl.parts.refreshes import embedded
from jssl.run import list_subjects
from tests.made import tiny

ROWS = 333  # which no number of processes or devices divides


class Counted:
  """The first examples of a split, and which of them have been read."""

  def __init__(self, examples, count: int):
    self.examples, self.count, self.read = examples, count, []

  def __len__(self) -> int:
    return self.count

  def __getitem__(self, i: int):
    return self.take(np.array([i]))  # by `extract`, for names and types

  def take(self, numbers: np.ndarray):
    self.read.extend(numbers.tolist())
    return rows.take(self.examples, numbers)


def typed() -> dict[str, np.ndarray]:
  """Columns of types that a device would narrow."""
  i = np.arange(ROWS)
  return dict(int64=i + 2**40, float64=np.linspace(0, 1, 3 * ROWS).reshape(ROWS, 3), bool=i % 2 == 0, bfloat16=i.astype('bfloat16'))


def encode(folder: Path) -> None:
  """Leaves features, labels, and which examples each of these read, COUNT_PROCESS.npz."""
  p = plan(tiny('dino'))
  train = Programs(p, make_mesh(devices=jax.local_devices()[:1])).start(seed_data(p))
  (subject,) = list_subjects(p, train, {}, raw=False).values()
  split = Counted(p.data.splits['train'], ROWS)
  x, y = extract(subject.represent, split, 64)
  read, split.read = split.read[1:], []
  one, _ = extract(subject.represent, Counted(p.data.splits['train'], 1), 64)  # fewer than there are processes
  z = embedded(subject.represent, p.data._replace(splits={'train': split}), p.data.inputs)
  rows.PIECE = 1000  # bytes: a few rows are gathered at a time
  columns = typed()
  same = rows.over_rows(lambda x: x, lambda i: {name: x[i] for name, x in columns.items()}, ROWS, 64)
  np.savez(folder / f'{jax.process_count()}_{jax.process_index()}.npz', x=x, y=y, z=z, one=one, read=read, embedded=split.read, **same)


if __name__ == '__main__':
  folder, count, coordinator, process = sys.argv[1:]
  with processes.joined(count, coordinator=coordinator, process=int(process)):
    encode(Path(folder))
