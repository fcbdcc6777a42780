"""Kills a run at random moments and shows that what it ends in is not touched by it; goes on with it on other numbers of devices.

    python experiments/kill.py [--kills 20] [--again]

The run has a queue, a teacher, batch norm and the health panel. For each kill it is started anew, SIGKILLed at a moment drawn
evenly from its time of training, and started again with the same command. Writes experiments/kill.json kill by kill, and goes
on from those that are there.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

STEPS, AHEAD, DEVICES = 100, 20, (1, 2, 4, 8)
OUT = Path(__file__).with_suffix('.json')
TIMES = ('examples_per_second', 'data_wait', 'step_seconds', 'mfu', 'memory_peak')


def config() -> dict:
  from jssl import configs

  c = configs.module('moco_v2').get_config().to_dict()
  c['backbone'] = dict(name='convnet', widths=(8, 16))  # with batch norm
  c['memories']['queue']['size'] = 128
  return c | dict(batch_size=16, steps=STEPS, log_every=1, checkpoint_every=10, health_every=25)


def train(folder: Path, last: int) -> None:
  """The run, or what is left of it up to step `last`; leaves the hash of every array, and which examples it took, behind."""
  import logging

  import jax

  from jssl import run
  from jssl.core import loop
  from jssl.core.build import plan

  logging.getLogger('absl').setLevel(logging.ERROR)
  p = plan(config())
  source, read = loop.open_source(p), []
  take = source.next
  source.next = lambda state: read.append(batch := take(state)) or batch
  trained = loop.run(p._replace(steps=last), source, workdir=folder, quiet=True, health=run.make_panel(p))
  state = trained.train._replace(key=jax.random.key_data(trained.train.key))
  leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(state))
  found = dict(
    arrays={jax.tree_util.keystr(path): hashlib.sha256(np.asarray(x).tobytes()).hexdigest() for path, x in leaves},
    examples=[batch['example'].tolist() for batch in read],
  )
  (folder / 'found.json').write_text(json.dumps(found))


def start(folder: Path, last: int = STEPS, devices: int = 1) -> subprocess.Popen:
  # On few cores two collectives that are started side by side can wait for each other for ever.
  flags = f'--xla_force_host_platform_device_count={devices} --xla_cpu_enable_concurrency_optimized_scheduler=false'
  cache = dict(JAX_COMPILATION_CACHE_DIR=str(Path.home() / '.cache' / 'jssl' / 'xla'), JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS='0')
  command = [sys.executable, __file__, '--folder', str(folder), '--last', str(last)]
  root = Path(__file__).resolve().parents[1]
  return subprocess.Popen(command, cwd=root, env=os.environ | cache | dict(XLA_FLAGS=flags, PYTHONPATH=str(root)))


def whole(folder: Path, **options) -> dict:
  """A run to its end: its arrays, examples and figures."""
  if code := start(folder, **options).wait():
    raise RuntimeError(f'the run in {folder} ended with {code}')
  return json.loads((folder / 'found.json').read_text()) | dict(rows=rows(folder))


def rows(folder: Path) -> list[dict]:
  path = folder / 'metrics.jsonl'
  text = path.read_text() if path.exists() else ''
  lines = text[: text.rfind('\n') + 1].splitlines()  # without one that is being written
  return [{k: v for k, v in json.loads(line).items() if k not in TIMES} for line in lines]


def kill_after_first_row(folder: Path, seconds: float) -> dict:
  """Starts the run and kills it so many seconds after it wrote its first figures."""
  running = start(folder)
  while running.poll() is None and not rows(folder):
    time.sleep(0.02)
  time.sleep(seconds)
  running.kill()
  code = running.wait()
  names = sorted(int(f.name) for f in (folder / 'checkpoints').iterdir() if f.name.isdigit())
  unfinished = [f.name for f in (folder / 'checkpoints').iterdir() if not f.name.isdigit()]
  return dict(killed=code == -9, step=rows(folder)[-1]['step'], checkpoints=names, unfinished=len(unfinished))


def compare(a: dict, b: dict) -> dict:
  differ = [name for name in a['arrays'] if a['arrays'][name] != b['arrays'][name]]
  return dict(arrays=len(a['arrays']), arrays_that_differ=differ, same_figures=a['rows'] == b['rows'])


def on_other_devices(killed: Path, folder: Path) -> list[dict]:
  """Goes on from a killed run for AHEAD steps on each number of devices; against the first number."""
  last = max(int(f.name) for f in (killed / 'checkpoints').iterdir() if f.name.isdigit()) + AHEAD
  found = []
  for devices in DEVICES:
    shutil.copytree(killed, folder / f'devices{devices}')
    found.append(whole(folder / f'devices{devices}', last=last, devices=devices))
  losses = [np.array([row['loss'] for row in f['rows'] if 'loss' in row][-AHEAD:]) for f in found]
  return [
    dict(devices=d, steps=len(f['examples']), same_examples=f['examples'] == found[0]['examples'],
         loss=float(np.max(np.abs(x / losses[0] - 1))))
    for d, f, x in zip(DEVICES, found, losses, strict=True)
  ]  # fmt: skip


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument('--kills', type=int, default=20)
  parser.add_argument('--again', action='store_true', help='forget the kills that are there')
  parser.add_argument('--folder', type=Path, help='train here, and nothing else')
  parser.add_argument('--last', type=int, default=STEPS)
  arguments = parser.parse_args()
  if arguments.folder:
    return train(arguments.folder, arguments.last)
  record = dict(kills=[], devices=[])
  if OUT.exists() and not arguments.again:
    record = json.loads(OUT.read_text())
  with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    whole(folder / 'warm')  # fills the compile cache
    running = start(folder / 'reference')
    while not rows(folder / 'reference'):
      time.sleep(0.02)
    began = time.perf_counter()
    running.wait()
    training = time.perf_counter() - began
    reference = json.loads((folder / 'reference' / 'found.json').read_text()) | dict(rows=rows(folder / 'reference'))
    for i in range(len(record['kills']), arguments.kills):
      here = folder / f'kill{i}'
      kill = kill_after_first_row(here, np.random.default_rng(i).uniform(0, 0.9 * training))
      if not record['devices'] and kill['checkpoints'] and kill['checkpoints'][-1] <= STEPS - AHEAD:
        record['devices'] = on_other_devices(here, folder)
        print(*record['devices'], sep='\n', flush=True)
      kill |= compare(reference, whole(here))
      record['kills'].append(kill)
      OUT.write_text(json.dumps(record, indent=1) + '\n')
      print(kill, flush=True)
      shutil.rmtree(here)
  same = [not k['arrays_that_differ'] and k['same_figures'] for k in record['kills']]
  print(f'{sum(same)} of {len(same)} end in the same bits, figures included')


if __name__ == '__main__':
  main()
