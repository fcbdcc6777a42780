"""One process of several that train a small system; what `test_processes.py` starts.

python -m tests.contracts.one_of_several FOLDER SYSTEM CHANGES COUNT COORDINATOR PROCESS
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np

from jssl import processes
from jssl.core import loop
from jssl.core.build import plan
from tests.made import tiny


def train(folder: Path, system: str, changes: dict, devices=None) -> None:
  """Leaves behind which examples it read, COUNT_PROCESS.json, and in the first process what came out, COUNT.npz."""
  p = plan(tiny(system, **changes))
  source, read = loop.open_source(p), []
  take = source.next
  source.next = lambda state: read.append(batch := take(state)) or batch
  count, process = jax.process_count(), jax.process_index()
  trained = loop.run(p, source, workdir=folder / f'run{count}', quiet=True, devices=devices)
  (folder / f'{count}_{process}.json').write_text(json.dumps([batch['example'].tolist() for batch in read]))
  if process == 0:
    leaves = jax.tree.leaves((trained.train.params, trained.train.state))
    np.savez(folder / f'{count}.npz', *leaves, losses=[row['loss'] for row in trained.log.rows])


if __name__ == '__main__':
  folder, system, changes, count, coordinator, process = sys.argv[1:]
  with processes.joined(count, coordinator=coordinator, process=int(process)):
    train(Path(folder), system, json.loads(changes))
