import json

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from jssl.evaluators import Subject, flatten, raw_input
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.tables import TRANSFORMS
from jssl.types import Column, Data, Features


@pytest.fixture(scope='module')
def data():
  x, y = load_digits(return_X_y=True)
  rows = [dict(image=a.reshape(8, 8, 1).astype(np.float32), label=b) for a, b in zip(x[:900], y[:900], strict=True)]
  spec = {'image': Column((8, 8, 1), 'float32'), 'label': Column((), 'int32')}
  return Data({'train': rows[:600], 'test': rows[600:]}, spec, 'image', {'classes': 10})


def judge(name, represent, data, **options):
  return PROTOCOLS[name](Subject(data, represent), jax.random.key(0), **options)


def test_every_protocol_gives_one_json_with_its_version(data):
  subject = Subject(data, raw_input(data))
  for name in ('knn', 'logistic', 'fewshot', 'clustering'):
    result = PROTOCOLS[name](subject, jax.random.key(0))
    result.pop('items', None)
    assert json.loads(json.dumps(result)) == result
    assert result['version'] == PROTOCOLS[name].version and result['test_examples'] == 300
    figures = flatten({name: result})
    assert figures and not any(n.endswith(('_k', '_examples', '_l2')) for n in figures)
  assert judge('logistic', raw_input(data), data)['top1'] > 0.85


def test_options_are_told(data):
  result = judge('knn', raw_input(data), data, ks=(1,))
  assert result['k'] == 1 and result['options'] == {'ks': (1,)}


def test_rows_side_by_side(data):
  nothing = lambda inputs: Features(None, 0 * inputs['image'].reshape(len(inputs['image']), -1)[:, :4])
  found = {name: judge('logistic', f, data)['top1'] for name, f in dict(
    raw=raw_input(data), plain=raw_input(data, standardize=False), constant=nothing).items()}  # fmt: skip
  assert found['constant'] < 0.2 < 0.85 < found['raw']
  assert found['raw'] == pytest.approx(found['plain'], abs=0.01)


def test_a_transform_is_part_of_the_representation(data):
  subject = Subject(data, raw_input(data, standardize=False), transform=TRANSFORMS['pca_whiten'](dim=8))
  x = subject.frozen.train_x
  np.testing.assert_allclose(np.cov(x.T, bias=True), np.eye(8), atol=1e-3)
  assert subject.frozen.test_x.shape == (300, 8)


def test_token_ids_are_counted():
  ids = np.array([[1, 2, 2, 0], [3, 0, 0, 0]], np.int32)
  text = Data({'train': [dict(ids=i) for i in ids]}, {'ids': Column((4,), np.int32, size=4, pad=0)}, 'ids', {})
  np.testing.assert_array_equal(raw_input(text, standardize=False)({'ids': ids}).pooled, [[0, 1, 2, 0], [0, 0, 0, 1]])


def test_raw_input_is_standardised_on_train(data):
  x = raw_input(data)({'image': np.stack([row['image'] for row in data.splits['train']])}).pooled
  deviation = np.std(x, 0)
  assert np.allclose(deviation[deviation > 0], 1, atol=1e-4) and np.allclose(np.mean(x, 0), 0, atol=1e-4)


def test_clustering_finds_clusters_and_repeats(data):
  key = jax.random.key(0)
  subject = Subject(data, raw_input(data, standardize=False))
  result = PROTOCOLS['clustering'](subject, key)
  assert result['nmi'] > 0.6 and result['ari'] > 0.4 and result['top1'] > 0.6
  assert result == PROTOCOLS['clustering'](subject, key)


def test_mistakes_are_told(data):
  with pytest.raises(ValueError, match='set data.inputs'):
    raw_input(data._replace(inputs='text'))
