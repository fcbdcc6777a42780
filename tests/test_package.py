"""The wheel and the sdist work in an environment that has nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jssl.ledger import catalogue

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.long
@pytest.mark.parametrize('kind', ['wheel', 'sdist'])
def test_a_package_works_in_a_clean_environment(kind, tmp_path):
  pytest.importorskip('build')
  call = lambda *command: subprocess.run([*map(str, command)], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
  call(sys.executable, '-m', 'build', f'--{kind}', '-o', tmp_path / 'dist', ROOT)
  (package,) = (tmp_path / 'dist').iterdir()
  call(sys.executable, '-m', 'venv', tmp_path / 'fresh')
  programs = tmp_path / 'fresh' / 'bin'
  call(programs / 'pip', 'install', '--quiet', package)
  call(programs / 'pip', 'check')
  results = json.loads(call(programs / 'jssl', 'train', 'simclr:tiny', '--workdir', tmp_path / 'run', '--json'))
  assert results['step'] == 8 and 'knn_top1' in results['figures'] and (tmp_path / 'run' / 'embedding.png').exists()
  # It has the configs, and the records of their claims, of which a changed environment makes some stale.
  known = lambda rows: [{**row, 'claim': {**row['claim'], 'stale': None}} for row in rows]
  assert known(json.loads(call(programs / 'jssl', 'list', '--json'))['systems']) == known(catalogue.systems())
  assert 'temperature' in call(programs / 'jssl', 'show', 'simclr')
  (licences,) = (tmp_path / 'fresh').glob('lib/python*/site-packages/jssl-*.dist-info/licenses')
  assert (licences / 'LICENSE').is_file()
