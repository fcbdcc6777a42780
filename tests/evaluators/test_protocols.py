import json

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from jssl.evaluators import PROTOCOLS, compare, evaluate, flatten, raw_input
from jssl.types import Data, Features


@pytest.fixture(scope='module')
def data():
  x, y = load_digits(return_X_y=True)
  rows = [dict(image=a.reshape(8, 8, 1).astype(np.float32), label=b) for a, b in zip(x[:900], y[:900], strict=True)]
  spec = {'image': jax.ShapeDtypeStruct((8, 8, 1), 'float32'), 'label': jax.ShapeDtypeStruct((), 'int32')}
  return Data({'train': rows[:600], 'test': rows[600:]}, spec, 'image', {'classes': 10})


def test_every_protocol_gives_one_json_with_its_version(data):
  results = evaluate(raw_input(data), data, jax.random.key(0), protocols=tuple(PROTOCOLS))
  assert sorted(results) == ['clustering', 'fewshot', 'knn', 'linear']
  for name, result in results.items():
    assert json.loads(json.dumps(result)) == result
    assert result['protocol'] == name and result['version'] == PROTOCOLS[name].version
    assert result['test_examples'] == 300
  assert results['linear']['top1'] > 0.85 and results['knn']['top1'] > 0.85 and results['clustering']['nmi'] > 0.4


def test_a_protocol_is_an_evaluator(data):
  result = PROTOCOLS['knn'](raw_input(data), data, jax.random.key(0), ks=(1,))
  assert result['k'] == 1 and result['options'] == {'ks': (1,)}


def test_compare_puts_baselines_side_by_side(data):
  nothing = jax.jit(lambda inputs: Features(None, 0 * inputs['image'].reshape(len(inputs['image']), -1)[:, :4]))
  rows = compare(
    {'raw_input': raw_input(data), 'plain': raw_input(data, standardize=False), 'constant': nothing},
    data,
    jax.random.key(0),
    protocols=('knn', 'linear'),
  )
  figures = {name: flatten(row) for name, row in rows.items()}
  assert figures['constant']['linear_top1'] < 0.2 < 0.85 < figures['raw_input']['linear_top1']
  assert figures['raw_input']['linear_top1'] == pytest.approx(figures['plain']['linear_top1'], abs=0.01)


def test_raw_input_is_standardised_on_train(data):
  x = raw_input(data)({'image': np.stack([row['image'] for row in data.splits['train']])}).pooled
  deviation = np.std(x, 0)
  assert np.allclose(deviation[deviation > 0], 1, atol=1e-4) and np.allclose(np.mean(x, 0), 0, atol=1e-4)


def test_clustering_finds_clusters_and_repeats(data):
  key = jax.random.key(0)
  result = PROTOCOLS['clustering'](raw_input(data, standardize=False), data, key)
  assert result['nmi'] > 0.6 and result['ari'] > 0.4 and result['top1'] > 0.6
  assert result == PROTOCOLS['clustering'](raw_input(data, standardize=False), data, key)


def test_mistakes_are_told(data):
  with pytest.raises(ValueError, match='closest are linear'):
    evaluate(raw_input(data), data, jax.random.key(0), protocols=('linaer',))
  with pytest.raises(ValueError, match='set data.inputs'):
    raw_input(data._replace(inputs='text'))
