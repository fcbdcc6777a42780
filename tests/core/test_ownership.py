"""One run a workdir: the second is refused, a dead owner's lock is taken over."""

import json
import os
import resource
import socket
import subprocess
import sys
import time

import pytest

from jssl import locks
from jssl.errors import ConfigError, Stopped
from jssl.locks import owned


def lock(folder, age=0.0, **fields):
  path = folder / 'lock'
  path.write_text(json.dumps(dict(process=1, host='elsewhere', started='1', since=time.time() - age) | fields))
  os.utime(path, (time.time() - age,) * 2)
  return path


def test_the_second_is_refused_and_told_who_has_it(tmp_path):
  with owned(tmp_path):
    with pytest.raises(ConfigError, match=f'in use by process {os.getpid()} on {socket.gethostname()} since'), owned(tmp_path):
      pass
    assert (tmp_path / 'lock').exists()
  assert not (tmp_path / 'lock').exists()


def test_a_dead_owner_is_followed(tmp_path):
  dead = subprocess.Popen([sys.executable, '-c', ''])
  dead.wait()
  lock(tmp_path, host=socket.gethostname(), process=dead.pid)
  with owned(tmp_path):
    assert json.loads((tmp_path / 'lock').read_text())['process'] == os.getpid()


def test_a_process_of_the_same_number_is_no_owner(tmp_path):
  lock(tmp_path, host=socket.gethostname(), process=os.getpid(), started='of an earlier one')
  with owned(tmp_path):
    pass


def test_an_owner_elsewhere_is_dead_after_ten_minutes_of_silence(tmp_path):
  lock(tmp_path, age=locks.SILENCE - 60)
  with pytest.raises(ConfigError, match='elsewhere'), owned(tmp_path):
    pass
  lock(tmp_path, age=locks.SILENCE + 60)
  with owned(tmp_path):
    pass


@pytest.mark.parametrize('text', ['', '{}', '[]', 'null', '3', '{"host": 3}', '{"process": 1, "host": "HOST"}', '{"process": [], "since": "x"'])
def test_a_damaged_lock_holds_while_it_is_new(tmp_path, text):
  path = tmp_path / 'lock'
  path.write_text(text.replace('HOST', socket.gethostname()))
  with pytest.raises(ConfigError, match='is in use by process'), owned(tmp_path):
    pass
  os.utime(path, (0, 0))
  with owned(tmp_path):
    pass


def test_a_lock_of_no_time(tmp_path):
  lock(tmp_path, since=1e30)
  with pytest.raises(ConfigError, match='in use by process 1 on elsewhere since'), owned(tmp_path):
    pass


def test_a_living_owner_can_be_told_to_be_dead(tmp_path):
  lock(tmp_path)
  with owned(tmp_path, take_over=True):
    assert json.loads((tmp_path / 'lock').read_text())['process'] == os.getpid()


def test_whose_lock_was_taken_writes_no_more(tmp_path):
  with owned(tmp_path) as mine:
    mine()
    with owned(tmp_path, take_over=True):
      pass
    (tmp_path / 'lock').write_text(json.dumps(dict(process=1, host='elsewhere')))
    with pytest.raises(Stopped, match='was taken over by another run'):
      mine()


def test_whose_lock_was_taken_does_not_remove_it(tmp_path):
  with owned(tmp_path), owned(tmp_path, take_over=True):
    other = lock(tmp_path)
  assert other.exists()


def test_a_lock_shows_that_its_owner_lives(tmp_path, monkeypatch):
  monkeypatch.setattr(locks, 'BEAT', 0.05)
  with owned(tmp_path):
    os.utime(tmp_path / 'lock', (1, 1))
    time.sleep(0.5)
    assert (tmp_path / 'lock').stat().st_mtime > 1


def test_no_half_a_lock_is_left_where_there_is_no_room(tmp_path, monkeypatch):
  monkeypatch.setattr(locks.json, 'dumps', lambda _: 'x' * 2**20)
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
  try:
    with pytest.raises(OSError, match='File too large'), owned(tmp_path):
      pass
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
  assert not (tmp_path / 'lock').exists()
