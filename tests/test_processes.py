"""What the start of several processes refuses; what they do is in contracts/test_processes.py."""

import subprocess
import sys

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
