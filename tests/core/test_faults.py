"""What happens to a run when things go wrong."""

import os
import shutil
import signal

import jax
import numpy as np
import pytest

from jssl.core import loop
from jssl.core.build import plan
from tests.small import small


@pytest.fixture
def p():
  return plan(small('simclr', steps=6, checkpoint_every=2, log_every=1, health_every=6))


def run(p, workdir):
  return loop.run(p, loop.open_source(p), workdir=workdir, quiet=True, devices=jax.devices()[:1])


def leaves(train):
  return [np.asarray(x) for x in jax.tree.leaves(train._replace(key=jax.random.key_data(train.key)))]


def test_damaged_checkpoint_is_passed_over(p, tmp_path, caplog):
  whole = run(p, tmp_path)
  newest = max((tmp_path / 'checkpoints').iterdir(), key=lambda f: int(f.name))
  for file in newest.rglob('*'):
    if file.is_file() and file.stat().st_size > 100:
      file.write_bytes(file.read_bytes()[:50])
  again = run(p, tmp_path)
  assert 'cannot be read' in caplog.text
  for a, b in zip(leaves(whole.train), leaves(again.train), strict=True):
    np.testing.assert_array_equal(a, b)


def test_no_readable_checkpoint_is_an_error(p, tmp_path):
  run(p, tmp_path)
  for folder in (tmp_path / 'checkpoints').iterdir():
    shutil.rmtree(folder / 'train')
  with pytest.raises(ValueError, match='none of the checkpoints'):
    run(p, tmp_path)


def test_sigterm_saves_and_the_same_command_goes_on(p, tmp_path):
  whole = run(p, tmp_path / 'whole')
  source = loop.open_source(p)
  next_batch, count = source.next, []

  def interrupted(state):
    count.append(1)
    if len(count) == 3:
      os.kill(os.getpid(), signal.SIGTERM)
    return next_batch(state)

  source.next = interrupted
  with pytest.raises(loop.Stopped, match='stopped at step 3'):
    loop.run(p, source, workdir=tmp_path / 'cut', quiet=True, devices=jax.devices()[:1])
  again = run(p, tmp_path / 'cut')
  assert int(again.train.step) == 6
  for a, b in zip(leaves(whole.train), leaves(again.train), strict=True):
    np.testing.assert_array_equal(a, b)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
  c = small('simclr', steps=6, log_every=1)
  c['optimizer']['learning_rate'] = 1e30
  with pytest.raises(loop.Stopped, match='lower the learning rate'):
    run(plan(c), tmp_path)
