"""What the start of several processes refuses, and how runs are spread over them; runs of several are in contracts/test_processes.py."""

import os
import subprocess
import sys
import time

import pytest

from jssl import cli, processes


@pytest.mark.parametrize(
  ('count', 'who'),
  [('2', {}), ('auto', dict(process=0)), (2, dict(coordinator='127.0.0.1:1')), ('two', dict(coordinator='127.0.0.1:1', process=0))],
)
def test_arguments_that_do_not_fit(count, who):
  with pytest.raises(ValueError, match='processes=auto alone .* or processes=N with'), processes.joined(count, **who):
    pass


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [(['--processes=2'], 'several processes need one --workdir'), (['--process=1'], 'go with --processes N')],
)
def test_command_says_what_is_missing(arguments, message, capsys):
  assert cli.main(['train', 'simclr', *arguments]) == 2
  assert message in capsys.readouterr().err


def test_no_cluster_to_be_found(tmp_path):
  command = [sys.executable, '-m', 'jssl', 'train', 'simclr', '--processes=auto', f'--workdir={tmp_path}']
  found = subprocess.run(command, capture_output=True, text=True)
  assert found.returncode == 2
  assert 'the processes cannot be joined' in found.stderr and 'give processes=N' in found.stderr


def who(i):
  if i < 0:
    raise ValueError(f'{i} is below 0')
  time.sleep(0.5)
  return i, os.getpid(), processes.cores()


def test_workers_keep_the_order_and_have_cores_of_their_own():
  with processes.workers(2, ready=int) as spread:
    numbers, pids, cores = zip(*spread(who, range(6)), strict=True)
  assert numbers == tuple(range(6)) and os.getpid() not in pids
  found = dict(zip(pids, cores, strict=True))
  if len(processes.cores()) > 1 and hasattr(os, 'sched_setaffinity') and len(found) == 2:
    assert not set.intersection(*map(set, found.values()))


def test_an_error_ends_the_workers_and_one_needs_none():
  with pytest.raises(ValueError, match='-1 is below 0'), processes.workers(2, ready=int) as spread:
    list(spread(who, [-1, *range(1000)]))
  with processes.workers(1, ready=int) as spread:
    assert spread is map


def test_as_many_at_once_as_there_are_cores_and_memory(monkeypatch):
  monkeypatch.setattr(processes, 'cores', lambda: list(range(64)))
  monkeypatch.setattr(processes, 'MEMORY', 1)
  assert processes.at_once() == 64
  monkeypatch.setattr(processes, 'MEMORY', os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 3)
  assert processes.at_once() == 3
  monkeypatch.setattr(processes, 'MEMORY', 1 << 60)
  assert processes.at_once() == 1
