"""Pages for users of other libraries: both blocks of a pair run, and agree, with the libraries in the versions of tests/parity.txt
and tests/peers.txt.

Blocks that begin with the comment of their page in PEERS are of the other library, those that begin with `# jssl` are of jssl, and others are
run for both. Where both blocks of a pair assign one of the names in SAME, its values agree. Training is short, as in tests/test_docs.py.
"""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jssl
from tests.oracles import references
from tests.photos import digits
from tests.test_docs import FENCE, PAGES, PEERS, given, run_python, short_train  # noqa: F401

SAME = {'loss', 'accuracy', 'embeddings', 'similarity', 'scores', 'rate', 'updates'}
# What makes their training short.
SHORT = {'range(20)': 'range(1)', 'num_train_epochs=3': 'max_steps=2', 'batch_size=64': 'batch_size=16'}


def assigned(block: str) -> set[str]:
  return {node.id for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def run_theirs(block: str, names: dict) -> None:
  for part, short in SHORT.items():
    block = block.replace(part, short)
  exec(compile(block, 'theirs', 'exec'), names)


@pytest.fixture
def folder(given, tmp_path, monkeypatch):  # noqa: F811
  """A folder with what a reader of the pages has, its pictures all whole, as the current one."""
  shutil.copytree(given, tmp_path, dirs_exist_ok=True)
  shutil.rmtree(tmp_path / 'photos')
  digits(tmp_path / 'photos', 120, broken=False)
  monkeypatch.chdir(tmp_path)
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.setattr(jssl, 'train', short_train)
  return tmp_path


def present(module: str) -> None:
  if not references.absent('torch'):
    import torch

    references.declare_operators(torch)
  if missing := references.absent(module):
    pytest.skip(missing)


@pytest.mark.parametrize('page', PEERS)
def test_both_blocks_of_a_pair_agree(page, folder):
  comment, module = PEERS[page]
  present(module)
  ours, theirs, before, compared = dict(__name__=page), dict(__name__=page), '', []
  for language, block in FENCE.findall(PAGES[page].read_text()):
    if language != 'python':
      continue
    if block.startswith(comment):
      run_theirs(block, theirs)
      before = block
      continue
    run_python(block, page, ours)
    if not block.startswith(('# jssl\n', '# mine/')):
      run_theirs(block, theirs)
      continue
    for name in sorted(SAME & assigned(block) & (assigned(before) if before else set())):
      value = theirs[name].detach().numpy() if hasattr(theirs[name], 'detach') else theirs[name]
      np.testing.assert_allclose(jax.device_get(ours[name]), value, rtol=1e-5, atol=1e-5, err_msg=f'{page}: {name}')
      compared.append(name)
    if block.startswith('# jssl\n'):
      before = ''
  assert len(compared) >= 2, f'{page}: only {compared} are compared'


def test_figures_on_several_processes_are_those_of_the_pages():
  for module in ('lightly', 'open_clip', 'sentence_transformers'):
    present(module)
  script = Path(__file__).resolve().parents[1] / 'experiments' / 'peers_on_processes.py'
  ended = subprocess.run([sys.executable, script, '--check'], capture_output=True, text=True)
  assert ended.returncode == 0, ended.stderr[-2000:]
