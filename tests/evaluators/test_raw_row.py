"""Raw input is a row beside others where its features fit, and a line says so where they do not."""

import json
import logging

import numpy as np
import pytest

from jssl import run
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.errors import ConfigError
from jssl.evaluators.baselines import raw_bytes, too_large
from jssl.types import Column, Data
from tests.made import tiny


class Long:
  """A split of which only the length can be asked."""

  def __init__(self, n: int):
    self.n = n

  def __len__(self) -> int:
    return self.n


def test_bytes_are_those_of_float32_features():
  data = Data({'train': Long(1_281_167), 'test': Long(50_000)}, {'image': Column((224, 224, 3), np.uint8)}, 'image', {})
  assert raw_bytes(data, ['train']) / 1e9 == pytest.approx(771.4, abs=0.1)
  assert raw_bytes(data, ['train', 'test']) == 4 * 224 * 224 * 3 * 1_331_167
  text = Data({'train': Long(1000)}, {'ids': Column((64,), np.int32, size=30_522)}, 'ids', {})  # counts of words
  assert raw_bytes(text, ['train']) == 4 * 30_522 * 1000


def test_a_row_that_does_not_fit_is_left_out(tmp_path, caplog):
  config = tiny('simclr', data=dict(name='digits'), evaluators=dict(knn=dict(name='knn')))
  p = plan(config)
  train, size = Programs(p, make_mesh()).start(seed_data(p)), raw_bytes(p.data, ['train', 'test'])
  results, subjects = run.compare(plan({**config, 'raw_limit': size}), train, {'random_init': train}, p.evaluators, None)
  assert 'left_out' not in results and {*subjects} == {'raw_input', 'random_init', 'simclr'}
  with caplog.at_level(logging.WARNING, 'jssl'):  # as training and `jssl evaluate` do
    results, subjects = run.compare(plan({**config, 'raw_limit': size - 1}), train, {'random_init': train}, p.evaluators, tmp_path)
  (line,) = [record.getMessage() for record in caplog.records]
  assert 'raw input' in line and 'raw_limit' in line and 'GiB' in line and '\n' not in line
  assert results['left_out']['raw_input'] in line
  assert {*subjects} == {'random_init', 'simclr'} and {*results['baselines']} == {'random_init'} and results['figures']['knn_top1'] > 0
  assert 'raw_input' not in json.loads((tmp_path / 'evaluations' / 'knn.json').read_text())


def test_a_claim_that_rests_on_the_row_is_refused_before_training():
  config = tiny('simclr', raw_limit=0, claim=dict(metric='knn_top1', beats=('raw_input',), margin=0.0))
  with pytest.raises(ConfigError, match='the claim of simclr needs raw_input: its features would take'):
    next(run.outcomes([config], ['knn']))


def test_only_splits_that_are_encoded_count():
  """Word vectors are judged by protocols that never look at raw input, and their half a million pairs are no features."""
  p = plan(tiny('word2vec'))
  assert too_large(p.data, p.evaluators.values(), 0) == ''
