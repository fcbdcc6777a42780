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
  with pytest.raises(ValueError, match='give only processes=auto .* or processes=N with'), processes.joined(count, **who):
    pass


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [(['--processes=2'], 'several processes need a --workdir'), (['--process=1'], 'need --processes N')],
)
def test_command_says_what_is_missing(arguments, message, capsys):
  assert cli.main(['train', 'simclr', *arguments]) == 2
  assert message in capsys.readouterr().err


def test_no_cluster_to_be_found(tmp_path):
  command = [sys.executable, '-m', 'jssl', 'train', 'simclr', '--processes=auto', f'--workdir={tmp_path}']
  found = subprocess.run(command, capture_output=True, text=True)
  assert found.returncode == 2
  assert 'the processes cannot connect' in found.stderr and 'give processes=N' in found.stderr


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
  monkeypatch.setattr(processes, 'limits', lambda: (float('inf'), float('inf')))
  monkeypatch.setattr(processes, 'cores', lambda: list(range(64)))
  monkeypatch.setattr(processes, 'MEMORY', 1)
  assert processes.at_once() == 64
  monkeypatch.setattr(processes, 'MEMORY', os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 3)
  assert processes.at_once() == 3
  monkeypatch.setattr(processes, 'MEMORY', 1 << 60)
  assert processes.at_once() == 1
  monkeypatch.setattr(processes, 'MEMORY', 1 << 30)
  monkeypatch.setattr(processes, 'limits', lambda: (2.5 * 2**30, 16.0))
  assert processes.at_once() == 2 or os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') < 2 << 30
  monkeypatch.setattr(processes, 'MEMORY', 1)
  monkeypatch.setattr(processes, 'limits', lambda: (float('inf'), 0.5))
  assert processes.at_once() == 1


@pytest.mark.parametrize(
  'own, files, found',
  [
    ('0::/a/b\n', {'a/memory.max': '1000', 'a/b/memory.max': 'max', 'a/b/cpu.max': '150000 100000', 'cpu.max': 'max 100000'}, (1000, 1.5)),
    ('0::/out/of/sight\n', {'memory.max': '77\n', 'cpu.max': '50000 100000\n'}, (77, 0.5)),  # a container, whose root is its group
    (
      '4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n',
      {
        'memory/memory.limit_in_bytes': '9223372036854771712', 'memory/docker/x/memory.limit_in_bytes': '512',
        'cpu,cpuacct/docker/x/cpu.cfs_quota_us': '200000', 'cpu,cpuacct/docker/x/cpu.cfs_period_us': '100000',
        'cpu,cpuacct/cpu.cfs_quota_us': '-1', 'cpu,cpuacct/cpu.cfs_period_us': '100000',
      },
      (512, 2.0),
    ),
    ('0::/\n', {}, (float('inf'), float('inf'))),
  ],
)  # fmt: skip
def test_a_container_has_less_than_its_host(own, files, found, tmp_path):
  (tmp_path / 'root').mkdir()
  for name, text in files.items():
    (tmp_path / 'root' / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / 'root' / name).write_text(text)
  (tmp_path / 'own').write_text(own)
  assert processes.limits(tmp_path / 'root', tmp_path / 'own') == found
  assert processes.limits(tmp_path / 'root', tmp_path / 'none') == (float('inf'), float('inf'))
