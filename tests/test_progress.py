"""How a run tells how far it has come."""

import os
import subprocess
import sys

import pytest

from jssl.progress import Bar


def test_a_file_is_given_plain_lines_with_forced_colours_too(monkeypatch, tmp_path):
  monkeypatch.setenv('FORCE_COLOR', '1')
  with (tmp_path / 'said').open('w') as said:
    monkeypatch.setattr(sys, 'stderr', said)
    with Bar(10, 0, examples=4) as bar:
      for step in range(1, 11):
        bar.show(step, 0.5)
  text = (tmp_path / 'said').read_text()
  assert '\x1b[?25l' not in text and '\x1b[2K' not in text  # no cursor is hidden, and no line taken back
  assert text.count('\n') == 10 and 'step 10/10  loss 0.5000' in text


def test_compilation_and_waiting_for_data_are_told_once(monkeypatch, capsys):
  now = 0.0
  monkeypatch.setattr('jssl.progress.time.perf_counter', lambda: now)
  with Bar(1000, 0, examples=4) as bar:
    with bar.compiling():
      now = 12.5
    bar.waited = 12.0  # until the first batch was there
    bar.start_timing(1)
    for step in range(2, 100):
      now += 1
      bar.waited += 0.75
      rates = bar.show(step, 0.5)
  assert rates['examples_per_second'] == pytest.approx(4) and rates['data_wait'] == pytest.approx(0.75), 'without the compilation'
  said = capsys.readouterr().err
  assert said.startswith('compiling the step\ncompiled in 12.5 s\n')
  assert said.count('steps wait for data 75% of the time') == 1 and 'source.threads' in said


@pytest.mark.rotating
def test_a_command_does_not_fail_where_its_progress_cannot_be_written(tmp_path):
  plain = {k: v for k, v in os.environ.items() if k not in ('TERM', 'FORCE_COLOR')}
  with open('/dev/full', 'w') as full:
    command = [
      sys.executable,
      '-m',
      'jssl',
      'train',
      'simclr:tiny',
      '--protocol',
      'none',
      '--config.log_every=1',
      '--workdir',
      str(tmp_path / 'w'),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, env=plain, timeout=300)
  assert done.returncode == 0 and b'trained in' in done.stdout
