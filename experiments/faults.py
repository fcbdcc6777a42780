"""Kills a run with SIGKILL at random moments, again and again until it ends, and compares it with one that was left alone.

    python experiments/faults.py --system simclr --steps 120 --seconds 0.05 3

Checkpoints are so frequent that most kills fall into the writing of one. Each line says at which step the run was killed,
what was on disk, and what the next one went on from; the last whether parameters, state, optimiser and figures are the same
bits in the end.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from jssl import configs

SMALL = dict(convnet=dict(widths=(8, 16)), vit_micro=dict(width=16, depth=2, heads=2))


def config(system: str, steps: int):
  c = configs.module(system).get_config().to_dict()
  c |= dict(batch_size=32, steps=steps, checkpoint_every=2, log_every=1, health_every=steps, keep=3)
  c['backbone'] |= SMALL.get(c['backbone']['name'], {})
  return c


def child(system: str, steps: int, workdir: Path) -> None:
  """One run, to its end or until it is killed."""
  import jax

  from jssl.core import loop
  from jssl.core.build import plan

  p = plan(config(system, steps))
  trained = loop.run(p, loop.open_source(p), workdir=workdir, quiet=True, devices=jax.devices()[:1])
  train = trained.train._replace(key=jax.random.key_data(trained.train.key))
  leaves = {jax.tree_util.keystr(path): np.asarray(x) for path, x in jax.tree_util.tree_leaves_with_path(train)}
  np.savez(workdir / 'end.npz', **leaves)


def start(system: str, steps: int, workdir: Path) -> subprocess.Popen:
  command = [sys.executable, __file__, '--system', system, '--steps', str(steps), '--child', str(workdir)]
  return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def figures(workdir: Path) -> list[dict]:
  rows = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  return [{k: v for k, v in row.items() if k not in ('examples_per_second', 'data_wait')} for row in rows]


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--system', default='simclr')
  parser.add_argument('--steps', type=int, default=120)
  parser.add_argument('--seconds', type=float, nargs=2, default=(0.05, 3), help='a run is killed so long after its first new step')
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--most', type=int, default=20, help='kills; the run after the last is left alone')
  parser.add_argument('--child', type=Path, help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.child:
    return child(args.system, args.steps, args.child)
  chance = random.Random(args.seed)
  with tempfile.TemporaryDirectory() as folder:
    alone, killed = Path(folder) / 'alone', Path(folder) / 'killed'
    start(args.system, args.steps, alone).communicate()
    log, halves = killed / 'metrics.jsonl', 0
    for count in range(args.most + 1):
      size = log.stat().st_size if log.exists() else 0
      run = start(args.system, args.steps, killed)
      while run.poll() is None and (not log.exists() or log.stat().st_size == size):
        time.sleep(0.005)
      if count < args.most:
        time.sleep(chance.uniform(*args.seconds))
        run.send_signal(signal.SIGKILL)
      _, said = run.communicate()
      there = sorted(os.listdir(killed / 'checkpoints'))
      halves += any('tmp' in name for name in there)
      step = max([row['step'] for row in map(json.loads, filter(None, log.read_text().split('\n')[:-1]))], default=0)
      warned = [line for line in said.splitlines() if 'checkpoint' in line and 'absl' not in line]
      print(f'{count}: exit {run.returncode} after step {step}; on disk {", ".join(there)}; it said {warned}', flush=True)
      if run.returncode == 0:
        break
    a, b = np.load(alone / 'end.npz'), np.load(killed / 'end.npz')
    arrays = all(np.array_equal(a[name], b[name], equal_nan=True) for name in a.files) and a.files == b.files
    print(f'{count} kills, {halves} of them into a save; arrays the same bits: {arrays}; figures: {figures(alone) == figures(killed)}')


if __name__ == '__main__':
  main()
