"""From a folder of pictures as people have them to a model, vectors and neighbours, by three commands and no code."""

import json

import numpy as np
import pytest

from jssl import cli
from tests.photos import digits


def commands(folder, monkeypatch, capsys, caplog, count, *settings):
  """The three commands; the run's results, and what was said of the neighbours of one picture."""
  monkeypatch.chdir(folder)
  digits(folder / 'photos', count)
  digits(folder / 'more', 24, first=700, broken=False)
  asked = next((folder / 'more').rglob('*.jpg')).relative_to(folder / 'more').as_posix()
  assert cli.main(['train', 'simclr', '--data', 'folder:photos', '--workdir', 'w', *settings]) == 0
  for name in ('truncated.png', 'empty.jpg', 'notes.png'):
    assert name in caplog.text, f'{name} cannot be read, and is not named'
  assert cli.main(['embed', 'w', 'more', 'more.npy']) == 0
  capsys.readouterr()
  assert cli.main(['neighbours', 'w', 'more', '--query', asked, '--k', '3', '--json']) == 0
  (found,) = json.loads(capsys.readouterr().out)['found']
  vectors, names = np.load('more.npy'), json.loads((folder / 'more.names.json').read_text())
  assert vectors.shape[0] == len(names) == 24 and np.isfinite(vectors).all() and asked in names
  assert found['query'] == asked and len(found['neighbours']) == 3 and {near['name'] for near in found['neighbours']} <= {*names} - {asked}
  return json.loads((folder / 'w' / 'results.json').read_text())


def test_three_commands(tmp_path, monkeypatch, capsys, caplog):
  short = ('--config.data.resize=16', '--config.backbone.widths=(8,16)', '--config.batch_size=16', '--config.steps=2')
  results = commands(tmp_path, monkeypatch, capsys, caplog, 120, *short)
  assert {'knn_top1', 'linear_top1'} <= results['figures'].keys() and results['baselines'].keys() == {'raw_input', 'random_init'}


@pytest.mark.long
def test_600_pictures_are_learned_from(tmp_path, monkeypatch, capsys, caplog):
  results = commands(tmp_path, monkeypatch, capsys, caplog, 600, '--config.data.resize=32', '--config.batch_size=64', '--config.epochs=60')
  assert results['figures']['knn_top1'] > results['baselines']['random_init']['knn_top1'] + 0.05
