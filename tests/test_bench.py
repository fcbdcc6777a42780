"""`jssl bench`: turns of processes, and the figures of a system."""

import json
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from jssl import cli
from jssl.bench.bench import PEERS, bench, lines
from jssl.bench.served import Trainer
from jssl.bench.turns import Contestant, compared, interleaved
from jssl.errors import ConfigError, JsslError

HERE = 'tests.test_bench'


def counts(config) -> Trainer:
  """A trainer that prints, as libraries do, and takes a thousandth of a second for an iteration."""
  print('a message of a library')
  return Trainer(lambda iterations: time.sleep(0.001 * iterations), {'parameters': 3, 'multiple': 7})


def fails(config) -> Trainer:
  raise ConfigError('there is no counterpart')


def test_a_process_trains_in_turns():
  contestant = Contestant(f'{HERE}:counts', ['simclr:tiny'])
  try:
    assert contestant.facts['parameters'] == 3 and contestant.facts['batch_size'] == 16 and contestant.facts['first_iteration_seconds'] > 0
    assert contestant.turn(100) >= 0.001
  finally:
    contestant.close()


def test_a_process_that_ends_says_why():
  with pytest.raises(JsslError, match='^there is no counterpart$'):
    Contestant(f'{HERE}:fails', ['simclr:tiny'])


def test_a_process_ends_with_the_one_that_started_it():
  code = f"""
import os, signal
from jssl.bench.turns import Contestant
print(Contestant('{HERE}:counts', ['simclr:tiny']).process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)"""
  pid = int(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout)
  for _ in range(50):
    if not Path(f'/proc/{pid}').exists():
      return
    time.sleep(0.1)
  pytest.fail(f'process {pid} is left')


def test_turns_alternate_and_are_whole_epochs():
  taken = []

  class Given:
    def __init__(self, seconds, **facts):
      self.seconds, self.facts = seconds, facts

    def turn(self, iterations):
      taken.append((self.seconds, iterations))
      return self.seconds

  times = interleaved([Given(0.1), Given(0.5, multiple=3)], 3)
  assert times == [[0.1] * 3, [0.5] * 3]
  assert taken == [(0.1, 1), (0.5, 3), *[(0.5, 3), (0.1, 20)], *[(0.1, 20), (0.5, 3)], *[(0.5, 3), (0.1, 20)]]


def test_ratios_are_of_pairs():
  ours, theirs = compared([[1.0, 2.0, 4.0], [3.0, 2.0, 8.0]])
  assert ours == dict(seconds=2.0, ratio=1.0, ratio_low=1.0, ratio_high=1.0)
  assert theirs == dict(seconds=3.0, ratio=2.0, ratio_low=1.0, ratio_high=3.0)


@pytest.mark.parametrize(
  'against, rounds, words', [('torchh', 1, 'unknown; choose among lightly'), ('', 0, 'a number of at least 1')], ids=['peer', 'rounds']
)
def test_what_cannot_be_timed_is_refused(against, rounds, words):
  with pytest.raises(ConfigError, match=words):
    bench('simclr:tiny', against=[against] if against else [], rounds=rounds)


@pytest.mark.rotating
def test_a_system_is_timed(capsys):
  assert cli.main(['bench', 'simclr:tiny', '--rounds', '1', '--json', '--config.batch_size=8']) == 0
  found = json.loads(capsys.readouterr().out)
  (row,) = found['rows']
  assert row['batch_size'] == 8 and row['parameters'] > 0 and row['operations'] > 0 and row['temporary_bytes'] > 0
  assert row['examples_a_second'] == pytest.approx(8 / row['seconds']) and 0 < found['share'] < 2
  assert any('of what products of matrices reach' in line for line in lines(found))


@pytest.mark.rotating
@pytest.mark.parametrize(
  'peer, system',
  [
    ('lightly', 'simclr:tiny'),
    ('lightly', 'dino:tiny'),
    ('lightly', 'mae:tiny'),
    ('torch', 'simclr:tiny'),
    ('sentence-transformers', 'simcse'),
    ('pykeen', 'distmult:tiny'),
    ('gensim', 'word2vec:tiny'),
  ],
)
def test_another_library_trains_the_same_network(peer, system):
  if missing := [package for package in PEERS[peer][2] if not find_spec(package)]:
    pytest.skip(f'{missing} not installed')
  ours, theirs = bench(system, against=[peer], rounds=1)['rows']
  assert theirs['parameters'] == pytest.approx(ours['parameters'], rel=0.02)
  assert theirs['batch_size'] == ours['batch_size'] and theirs['ratio'] > 0 and theirs['versions']
