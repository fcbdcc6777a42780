"""One process of several that train a small system; what `test_processes.py` starts.

    python -m tests.contracts.one_of_several FOLDER SYSTEM CHANGES [COUNT COORDINATOR PROCESS]

Writes what it read, {process}.json, and in the first process what came out, {count}.npz.
"""

import contextlib
import json
import sys
from pathlib import Path

import jax
import numpy as np

from jssl import processes
from jssl.core import loop
from jssl.core.build import plan
from tests.small import small


def main(folder: str, system: str, changes: str, count: str = '1', coordinator: str = '', process: str = '0'):
  with processes.joined(count, coordinator=coordinator, process=int(process)) if count != '1' else contextlib.nullcontext():
    p = plan(small(system, **json.loads(changes)))
    source, read = loop.open_source(p), []
    next_batch = source.next
    source.next = lambda state: read.append(batch := next_batch(state)) or batch
    trained = loop.run(p, source, workdir=Path(folder) / f'run{count}', quiet=True)
    Path(folder, f'{count}_{process}.json').write_text(json.dumps([batch['example'].tolist() for batch in read]))
    if process == '0':
      leaves = jax.tree.leaves(trained.train._replace(key=jax.random.key_data(trained.train.key)))
      np.savez(Path(folder, f'{count}.npz'), *leaves, losses=[row['loss'] for row in trained.log.rows])


if __name__ == '__main__':
  main(*sys.argv[1:])
