"""Several processes on one machine, over gloo: what they compute, how they stop, what becomes of them when one is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.contracts import one_of_several

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 400  # seconds


def start(processes: int, devices: int, command, log: Path) -> list[subprocess.Popen]:
  """`command(who)` in each of the processes, with so many devices each."""
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    coordinator = f'127.0.0.1:{s.getsockname()[1]}'
  flags = os.environ['XLA_FLAGS'].replace('device_count=8', f'device_count={devices}')
  return [
    subprocess.Popen(
      [sys.executable, '-m', *command(coordinator, i)],
      cwd=ROOT,
      env={**os.environ, 'XLA_FLAGS': flags, 'JAX_PLATFORMS': 'cpu'},
      stdout=(out := (log / f'log{processes}_{i}').open('w')),
      stderr=out,
    )  # fmt: skip
    for i in range(processes)
  ]


def finish(running: list[subprocess.Popen], log: Path) -> list[str]:
  """What each has said, when all have ended by themselves."""
  try:
    for process in running:
      process.wait(PATIENCE)
  finally:
    for process in running:
      process.kill()
  return [(log / f'log{len(running)}_{i}').read_text() for i in range(len(running))]


@pytest.mark.parametrize(
  ('count', 'system', 'changes'),
  [
    (2, 'moco_v2', {}),
    (2, 'simclr', dict(mesh=dict(data=1, tensor=4), rules=[['kernel', 'tensor']])),  # both processes read all examples
    pytest.param(4, 'simclr', dict(mesh=dict(data=2, fsdp=2), rules='fsdp'), marks=pytest.mark.long),
    (2, 'spr', dict(mesh=dict(data=1, fsdp=4), rules='fsdp')),  # each plays its own rows, by parameters that all hold a part of
  ],
  ids=['2', '2 that share examples', '4', '2 that play'],
)  # fmt: skip
def test_several_give_what_one_gives(count, system, changes, tmp_path):
  # Adam would blow up the rounding of gradients that are zero, such as those of biases before batch norm.
  changes |= dict(steps=3, log_every=1, checkpoint_every=3, optimizer=dict(name='sgd', learning_rate=0.1))
  one_of_several.train(tmp_path, system, changes, devices=jax.devices()[:4])
  running = start(
    count, 4 // count, lambda coordinator, i: [
      'tests.contracts.one_of_several', str(tmp_path), system, json.dumps(changes), str(count), coordinator, str(i)
    ], tmp_path,
  )  # fmt: skip
  said = finish(running, tmp_path)
  assert [p.returncode for p in running] == [0] * count, '\n'.join(said)
  one, several = (np.load(tmp_path / f'{n}.npz') for n in (1, count))
  # SPR's loss is a difference of two terms, so its rounding is that of the terms, which the largest loss has the size of.
  np.testing.assert_allclose(several['losses'], one['losses'], rtol=0, atol=1e-6 * np.abs(one['losses']).max())
  a, b = (np.concatenate([x[name].astype(np.float64).ravel() for name in one]) for x in (one, several))
  assert np.linalg.norm(a - b) <= 1e-6 * np.linalg.norm(a)
  (whole,) = read(tmp_path, 1)
  parts = read(tmp_path, count)
  if 'tensor' in changes.get('mesh', ()):
    assert all(part == whole for part in parts)
  else:
    assert [sum(rows, []) for rows in zip(*parts, strict=True)] == whole


def read(folder: Path, count: int) -> list[list]:
  return [json.loads((folder / f'{count}_{i}.json').read_text()) for i in range(count)]


@pytest.mark.rotating
def test_all_stop_together_and_none_outlives_another(tmp_path):
  """SIGTERM to one stops both after the same step; the same commands go on; then one is killed, and the other ends."""
  settings = dict(steps=100000, batch_size=16, health_every=100000, checkpoint_every=100000, log_every=1)
  settings |= {'backbone.widths': (8, 16)}
  command = lambda coordinator, i: [
    'jssl', 'train', 'simclr', '--workdir', str(tmp_path / 'run'), '--protocol', 'none',
    '--processes', '2', '--process', str(i), '--coordinator', coordinator,
    *(f'--config.{k}={v}' for k, v in settings.items()),
  ]  # fmt: skip
  metrics = tmp_path / 'run' / 'metrics.jsonl'

  running = start(2, 1, command, tmp_path)
  wait_for_rows(metrics, 3, running)
  running[1].send_signal(signal.SIGTERM)
  first, second = finish(running, tmp_path)
  stopped = first.split('stopped at step ')[1].split()[0]
  assert f'stopped at step {stopped} of' in second
  assert (tmp_path / 'run' / 'checkpoints' / stopped).is_dir()

  running = start(2, 1, command, tmp_path)
  rows = wait_for_rows(metrics, int(stopped) + 3, running)
  assert [json.loads(row)['step'] for row in rows] == list(range(1, len(rows) + 1))
  running[1].kill()
  first, _ = finish(running, tmp_path)
  assert running[0].returncode not in (0, None)
  assert 'stops all processes' in first or 'another task died' in first


def wait_for_rows(metrics: Path, count: int, running: list[subprocess.Popen]) -> list[str]:
  deadline = time.monotonic() + PATIENCE
  while time.monotonic() < deadline and all(p.poll() is None for p in running):
    rows = metrics.read_text().splitlines()[:-1] if metrics.exists() else []
    if len(rows) >= count:
      return rows
    time.sleep(0.1)
  finish(running, metrics.parents[1])
  raise AssertionError(f'no {count} rows in {metrics}')


@pytest.mark.parametrize('setting', ['seed=1', 'optimizer.learning_rate.peak=0.5', 'batch_size=64'])
def test_processes_that_were_started_with_something_else_are_refused_by_all(setting, tmp_path):
  def command(coordinator, i):
    own = [f'--config.{setting}'] if i else []
    who = ['--processes=2', f'--process={i}', f'--coordinator={coordinator}']
    return ['jssl', 'train', 'simclr', f'--workdir={tmp_path / "w"}', '--protocol=none', *who, *own]

  running = start(2, 1, command, tmp_path)
  for said, process in zip(finish(running, tmp_path), running, strict=True):
    assert process.returncode == 2 and 'the config of process 1 differs from that of process 0' in said, said
    assert 'Traceback' not in said
  assert not (tmp_path / 'w').exists()
