"""What happens to a run when things go wrong: it goes on to the same bits, or is refused in one clear line."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jssl import cli, tables, testing
from jssl.core import checkpoint, loop
from jssl.core.build import plan
from jssl.core.log import Log
from jssl.data.core import pictures
from jssl.data.core.order import permutation
from jssl.data.vision.images import mnist5k
from jssl.errors import ConfigError
from jssl.model import restore
from jssl.replay import describe, replay
from tests.made import tiny

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def p():
  return plan(tiny('simclr', steps=6, checkpoint_every=2, log_every=1, health_every=6))


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """The run that nothing happened to."""
  workdir = tmp_path_factory.mktemp('whole')
  return run(plan(tiny('simclr', steps=6, checkpoint_every=2, log_every=1, health_every=6)), workdir), workdir


@pytest.fixture
def finished(whole, tmp_path):
  """A copy of its folder."""
  return shutil.copytree(whole[1], tmp_path / 'run')


BAD = 3  # the first batch with an image that is not all numbers
ROW = int(permutation(160, 0)[BAD * 16])  # and which it is


@pytest.fixture
def poisoned(monkeypatch):
  """A config on 160 images in float32, one of them with a pixel that is no number."""
  real = mnist5k()
  examples = [{**e, 'image': e['image'].astype(np.float32) / 255} for e in (real.splits['train'][i] for i in range(160))]
  examples[ROW]['image'][3, 4] = np.nan
  # The reader refuses such a picture; what comes out of an augmentation or a source of the user's own is not read by it.
  monkeypatch.setattr(pictures, '_in_unit_range', lambda what, x: None)
  spec = {**real.spec, 'image': jax.ShapeDtypeStruct((28, 28, 1), np.float32)}
  data = real._replace(splits={'train': examples, 'test': examples[:20]}, spec=spec)
  monkeypatch.setitem(tables.DATA, 'poisoned', lambda: data)
  return tiny('simclr', steps=14, checkpoint_every=2, log_every=3, data=dict(name='poisoned'))


def run(p, workdir, **options):
  return loop.run(p, loop.open_source(p), workdir=workdir, quiet=True, devices=jax.devices()[:1], **options)


def leaves(train):
  return [np.asarray(x) for x in jax.tree.leaves(train._replace(key=jax.random.key_data(train.key)))]


def same(one, other):
  for a, b in zip(leaves(one.train), leaves(other.train), strict=True):
    np.testing.assert_array_equal(a, b)


def figures(workdir):
  """The log without what depends on the clock, and without `step 0 <= n` twice."""
  rows = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  return [{k: v for k, v in row.items() if k not in testing.TIMES} for row in rows]


def newest(workdir):
  return max((f for f in (workdir / 'checkpoints').iterdir() if f.name.isdigit()), key=lambda f: int(f.name))


@pytest.mark.rotating
def test_truncated_checkpoint_is_passed_over(p, whole, finished, caplog):
  for file in newest(finished).rglob('*'):
    if file.is_file() and file.stat().st_size > 100:
      file.write_bytes(file.read_bytes()[:50])
  same(whole[0], run(p, finished))
  assert 'checkpoint 6 cannot be read' in caplog.text
  assert figures(finished) == figures(whole[1])


@pytest.mark.parametrize('what', ['train/d/*', 'train/manifest.ocdbt', 'train/_METADATA', 'source'])
def test_missing_file_is_passed_over(p, whole, finished, caplog, what):
  found = list(newest(finished).glob(what))
  assert found
  for path in found:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
  same(whole[0], run(p, finished))
  assert 'checkpoint 6 cannot be read' in caplog.text


@pytest.mark.parametrize('what', ['train/ocdbt.process_0/d/*', 'source/_strings.json'])
def test_one_wrong_bit_is_passed_over(p, whole, finished, caplog, what):
  for path in newest(finished).glob(what):
    held = path.read_bytes()
    at = held.index(b'batches') + 12 if b'batches' in held else len(held) // 2
    path.write_bytes(held[:at] + bytes([held[at] ^ 1]) + held[at + 1 :])
  same(whole[0], run(p, finished))
  assert 'checkpoint 6 cannot be read (its files are damaged)' in caplog.text


@pytest.mark.parametrize('text', ['[]', 'null', '3', '"x"', '{', '\udcff'])
def test_damaged_config_is_refused(p, finished, text):
  (finished / 'config.json').write_bytes(text.encode('utf-8', 'surrogateescape'))
  with pytest.raises(ConfigError, match='cannot be used as a workdir'):
    run(p, finished)


def test_a_file_where_checkpoints_go_is_named(p, tmp_path):
  (tmp_path / 'checkpoints').write_text('')
  with pytest.raises(OSError, match=f'{tmp_path}/checkpoints'):
    run(p, tmp_path)


def test_no_readable_checkpoint_is_an_error(p, finished):
  for folder in (finished / 'checkpoints').iterdir():
    shutil.rmtree(folder / 'train')
  with pytest.raises(ValueError, match='none of the checkpoints'):
    run(p, finished)


def test_half_written_checkpoint_is_left_out(p, whole, finished, caplog):
  last = newest(finished)
  last.rename(last.with_name('6.orbax-checkpoint-tmp'))
  same(whole[0], run(p, finished))
  assert 'checkpoint 6 is only half-written' in caplog.text
  assert sorted(f.name for f in (finished / 'checkpoints').iterdir()) == ['4', '6']


@pytest.mark.parametrize('keep', [1, 3])
def test_keeps_as_many_as_asked(tmp_path, keep):
  run(plan(tiny('simclr', steps=6, checkpoint_every=1, log_every=6, keep=keep)), tmp_path)
  assert sorted(int(f.name) for f in (tmp_path / 'checkpoints').iterdir()) == list(range(7 - keep, 7))


def test_another_config_is_refused(finished):
  with pytest.raises(ConfigError, match=r'another config \(differing in seed\)'):
    run(plan(tiny('simclr', steps=6, checkpoint_every=2, log_every=1, health_every=6, seed=1)), finished)


def test_keys_that_are_newer_than_a_workdir_keep_their_defaults(finished, monkeypatch):
  """And what tells how a run is carried out, not what comes out of it, may change."""
  held = json.loads((finished / 'config.json').read_text())
  for key in ('source', 'modules', 'log_gradients', 'freeze'):
    del held[key]
  (finished / 'config.json').write_text(json.dumps(held))
  c = tiny('simclr', steps=6, checkpoint_every=2, log_every=1, health_every=6)
  run(plan({**c, 'source': dict(threads=3)}), finished)
  held = json.loads((finished / 'config.json').read_text())
  assert held['source']['threads'] == 3 and held['freeze'] == []
  with pytest.raises(ConfigError, match=r'differing in log_gradients'):
    run(plan({**c, 'log_gradients': True}), finished)


@contextlib.contextmanager
def mounted(path, options):
  """A small file system in memory; skips where we may not mount one."""
  path.mkdir()
  made = subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', path], capture_output=True) if shutil.which('mount') else None
  if made is None or made.returncode:
    pytest.skip('may not mount a file system here')
  try:
    yield path
  finally:
    subprocess.run(['umount', '-l', path], check=True)


def remount(path, options):
  subprocess.run(['mount', '-o', f'remount,{options}', path], check=True)


def test_full_disk_stops_and_loses_nothing(p, whole, tmp_path):
  with mounted(tmp_path / 'small', 'size=8m') as disk:
    run(p._replace(steps=2), disk)  # finds room
    free = shutil.disk_usage(disk).free
    filler = disk / 'filler'
    filler.write_bytes(bytes(free - 20_000))
    with pytest.raises(OSError, match=r'cannot be written .*No space left on device'):
      run(p, disk)
    filler.unlink()
    same(whole[0], run(p, disk))
    assert figures(disk) == figures(whole[1])


def test_partial_checkpoints_are_removed_while_threads_still_write_them(tmp_path, monkeypatch):
  """What is left of a failed save in this process goes on for a moment; Orbax's removal fails on it, at the next save."""
  partial, remove, calls = tmp_path / '4.orbax-checkpoint-tmp', checkpoint.remove, []
  (partial / 'train').mkdir(parents=True)

  def disturbed(folder):
    calls.append(folder)
    if len(calls) < 4:
      raise OSError('a file was created meanwhile')
    remove(folder)
    if len(calls) == 4:  # a thread makes its folder again
      (partial / 'train').mkdir(parents=True)

  monkeypatch.setattr(checkpoint, 'remove', disturbed)
  checkpoint.open_checkpoints(tmp_path, keep=2).close()
  assert len(calls) == 5 and not partial.exists()


def test_read_only_folder_is_refused(p, finished, tmp_path):
  with mounted(tmp_path / 'fixed', 'size=64m') as disk:
    shutil.copytree(finished, disk / 'run')
    shutil.rmtree(newest(disk / 'run'))
    remount(disk, 'ro')
    with pytest.raises((ConfigError, OSError), match='Read-only file system'):
      run(p, disk / 'run')
    with pytest.raises(ConfigError, match='Read-only file system'):
      run(p, disk / 'new')
    assert int(restore(disk / 'run')[1].step) == 4  # reading needs no writing


def test_sigterm_saves_and_the_same_command_goes_on(p, whole, tmp_path):
  source = loop.open_source(p)
  next_batch, count = source.next, []

  def interrupted(state):
    count.append(1)
    if len(count) == 3:
      os.kill(os.getpid(), signal.SIGTERM)
    return next_batch(state)

  source.next = interrupted
  with pytest.raises(loop.Stopped, match='stopped at step 3'):
    loop.run(p, source, workdir=tmp_path, quiet=True, devices=jax.devices()[:1])
  same(whole[0], run(p, tmp_path))
  assert figures(tmp_path) == figures(whole[1])


@pytest.mark.rotating
def test_killed_while_saving(p, whole, tmp_path):
  """SIGKILL a moment after the third save began."""
  code = f"""
    import os, signal, threading
    from pathlib import Path
    from tests import conftest
    from tests.core import test_faults as t
    save, count = t.checkpoint.save, []
    def dies(*args):
      save(*args)
      count.append(1)
      if len(count) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    t.checkpoint.save = dies
    t.run(t.plan(t.tiny('simclr', steps=6, checkpoint_every=2, log_every=1, health_every=6)), Path({str(tmp_path)!r}))
    """
  done = subprocess.run([sys.executable, '-c', textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == -signal.SIGKILL, done.stderr
  assert {'2', '4'} <= {f.name for f in (tmp_path / 'checkpoints').iterdir()}
  same(whole[0], run(p, tmp_path))
  assert figures(tmp_path) == figures(whole[1])


def test_another_damaged_line_of_the_log_is_named(tmp_path, caplog):
  (tmp_path / 'metrics.jsonl').write_text('{"step": 1}\n{"st\n[]\n{"step": "x"}\n{"step": 2}\n{"step": 3')
  assert Log(tmp_path, 9).rows == [{'step': 1}, {'step': 2}]
  assert [record.args[1] for record in caplog.records] == [2, 3, 4]


def test_half_a_line_in_the_log(p, whole, finished):
  shutil.rmtree(newest(finished))
  log = finished / 'metrics.jsonl'
  log.write_text(log.read_text()[:-20] + '\n\x00{"loss": 1}\n[]\n')
  same(whole[0], run(p, finished))
  assert figures(finished) == figures(whole[1])


def test_figures_that_are_not_finite_are_null(tmp_path):
  log = Log(tmp_path)
  log.write(1, {'loss': float('nan'), 'rate': 1.0})
  log.finish()
  assert json.loads((tmp_path / 'metrics.jsonl').read_text()) == {'step': 1, 'loss': None, 'rate': 1.0}
  assert not list(tmp_path.glob('*.part'))


def test_clock_that_goes_back(p, whole, tmp_path, monkeypatch):
  """Neither the order of checkpoints nor the log goes by the clock."""
  run(p._replace(steps=4), tmp_path)
  real = time.time
  monkeypatch.setattr(time, 'time', lambda: real() - 1e6)
  for file in newest(tmp_path).rglob('*'):
    os.utime(file, (0, 0))
  os.utime(newest(tmp_path), (0, 0))
  again = run(p, tmp_path)
  same(whole[0], again)
  assert len(again.log.rows) == len(whole[0].log.rows)
  assert newest(tmp_path).name == '6'


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
  c = tiny('simclr', steps=6, log_every=1)
  c['optimizer']['learning_rate'] = 1e30
  with pytest.raises(loop.Stopped, match='lower the learning rate'):
    run(plan(c), tmp_path)
  found = replay(tmp_path)
  assert found['first']['nan'] + found['first']['inf'] and not found['examples']


@pytest.mark.rotating
def test_poisoned_data_are_stopped_at_captured_and_named(poisoned, tmp_path, capsys):
  with pytest.raises(loop.Stopped, match=f'at step {BAD} of 14 the loss is') as stopped:
    run(plan(poisoned), tmp_path)
  capture = tmp_path / 'captures' / str(BAD)
  assert f'jssl replay {capture}' in str(stopped.value)
  with pytest.raises(loop.Stopped, match=f'at step {BAD} '):  # and again, from the checkpoint before
    run(plan(poisoned), tmp_path)
  found = replay(tmp_path)
  assert found['step'] == BAD and found['examples'] == [ROW]
  assert found['first']['operation'] == 'the input' and found['first']['where'] == 'batch/image'
  assert 'batch/image' in describe(found)
  assert cli.main(['replay', str(capture), '--json']) == 0
  assert json.loads(capsys.readouterr().out)['examples'] == [ROW]


def test_the_captured_state_is_the_one_before_the_step(poisoned, tmp_path):
  p = plan(poisoned)
  with pytest.raises(loop.Stopped):
    run(p, tmp_path / 'stopped')
  before = run(p._replace(steps=BAD), tmp_path / 'before')
  place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  train, batch = checkpoint.captured(tmp_path / 'stopped' / 'captures' / str(BAD), before.train, p.batch, place)
  for name in ('step', 'params', 'state', 'opt'):
    jax.tree.map(np.testing.assert_array_equal, getattr(train, name), getattr(before.train, name))
  np.testing.assert_array_equal(batch['example'], loop.open_source(p).batch(BAD)['example'])
  for path in (tmp_path / 'stopped' / 'captures' / str(BAD) / 'batch').rglob('ocdbt.process_0/d/*'):
    held = path.read_bytes()
    at = len(held) // 2
    path.write_bytes(held[:at] + bytes([held[at] ^ 1]) + held[at + 1 :])
  with pytest.raises(ValueError, match='holds no captured step that can be read'):
    checkpoint.captured(tmp_path / 'stopped' / 'captures' / str(BAD), before.train, p.batch, place)


class Own:
  """A source that has what the protocol promises, and no more."""

  def __init__(self, source):
    self.inner = source
    self.next, self.batch = source.next, source.batch

  def save(self):
    return {'mine': json.dumps(self.inner.save())}

  def restore(self, state):
    self.inner.restore(json.loads(state['mine']))


def test_a_source_of_ones_own_is_stopped_captured_and_resumed(poisoned, tmp_path):
  p = plan(poisoned)
  for _ in range(2):  # the second time from the checkpoint before
    with pytest.raises(loop.Stopped, match=f'at step {BAD} of 14'):
      loop.run(p, Own(loop.open_source(p)), workdir=tmp_path, quiet=True, devices=jax.devices()[:1])
  assert replay(tmp_path)['examples'] == [ROW]


@pytest.mark.rotating
def test_skipped_and_resumed_to_the_same_bits(poisoned, tmp_path):
  p = plan({**poisoned, 'guard': dict(name='skip', most=2, spike=8.0)})
  whole = run(p, tmp_path / 'whole')
  assert int(whole.train.step) == 14 and whole.compiles == 1
  batches = [loop.open_source(p).batch(step)['example'] for step in range(14)]
  times = sum(ROW in batch for batch in batches)
  assert int(whole.train.guard['skipped']) == whole.log.rows[-1]['guard/skipped'] == times
  run(p._replace(steps=4), tmp_path / 'cut')
  same(whole, run(p, tmp_path / 'cut'))
  assert figures(tmp_path / 'cut')[-1] == figures(tmp_path / 'whole')[-1]


def test_rolled_back_past_the_batch(poisoned, tmp_path, caplog):
  p = plan({**poisoned, 'guard': dict(name='roll_back', returns=2), 'steps': 6})
  trained = run(p, tmp_path)
  assert int(trained.train.step) == 6 and int(trained.train.guard['returned']) == 1 and trained.compiles == 1
  assert 'back to step 2, return 1 of 2' in caplog.text
  assert [row['step'] for row in trained.log.rows] == sorted({row['step'] for row in trained.log.rows})
  assert (tmp_path / 'captures' / str(BAD)).exists()


def test_collapse_alarm_is_logged_and_stops(tmp_path, caplog):
  c = tiny('simclr', steps=8, health_every=2, log_every=2, guard=dict(name='stop', collapse=2))
  panels = iter((1.0, 0.0, 1.0, 1.0))
  options = dict(health=lambda phase, train, batch: {'flat': next(panels)}, alarm=lambda figures: ['flat'] if figures['flat'] else [])
  with pytest.raises(loop.Stopped, match='2 health panels in a row raise the collapse alarm at step 8: flat'):
    run(plan(c), tmp_path, **options)
  assert [row['health/alarms'] for row in figures(tmp_path) if 'health/alarms' in row] == [1, 0, 1, 1]
  assert 'collapse alarm at step 2: flat' in caplog.text


@pytest.mark.parametrize('name', ['a b', "it's {x}*?", 'é%20~$HOME', '-w'])
@pytest.mark.rotating
def test_any_name_of_a_workdir_works(name, tmp_path):
  p = plan(tiny('simclr', steps=2, log_every=1, checkpoint_every=1))
  assert run(p, tmp_path / name).compiles == 1
  shutil.rmtree(tmp_path / name / 'checkpoints' / '2')
  assert run(p, tmp_path / name).log.rows[-1]['step'] == 2


def test_a_name_that_cannot_work_is_refused_before_the_first_step(tmp_path):
  with pytest.raises(ConfigError, match="cannot have '\\['"):
    run(plan(tiny('simclr', steps=2)), tmp_path / '[exp1]' / 'w')
  assert not (tmp_path / '[exp1]').exists()


def test_a_checkpoint_that_lost_its_manifest_is_no_success(tmp_path, monkeypatch):
  monkeypatch.setattr(checkpoint, 'MANIFEST', 'not there')
  with pytest.raises(OSError, match='no manifest'):
    run(plan(tiny('simclr', steps=2)), tmp_path / 'w')
