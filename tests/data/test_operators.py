"""Data sets made of others."""

import numpy as np
import pytest

from jssl.core.build import open_data
from jssl.data import arrays, resident
from jssl.data.core.operators import few, noised, subset, with_columns
from jssl.data.core.some_classes import some_classes
from jssl.errors import ConfigError, DataError
from jssl.types import Column

LABEL = np.repeat(np.arange(4, dtype=np.int32), (30, 20, 10, 3))


def made():
  n = len(LABEL)
  texts = dict(train=[str(i) for i in range(n)])
  return arrays(x=np.arange(float(n)), label=LABEL, test=dict(x=np.arange(8.0), label=LABEL[-8:]), info=dict(texts=texts))


def test_few_labels_are_known_of_each_class():
  data = few(of=made(), shots=5)
  known = resident(data.splits['train']).columns['few']
  assert np.bincount(known[known >= 0]).tolist() == [5, 5, 5, 3] and data.spec['few'] == Column((), np.int32, size=4, pad=-1)
  assert (known[known >= 0] == LABEL[known >= 0]).all()


def test_a_subset_keeps_its_order_and_its_texts():
  data = subset(of=made(), train=12)
  x = resident(data.splits['train']).columns['x']
  assert len(data.splits['train']) == len(x) == 12 and (np.diff(x) > 0).all() and len(data.splits['test']) == 8
  assert data.info['texts']['train'] == [str(int(i)) for i in x] and data.splits['train'][3]['x'] == x[3]
  each = resident(subset(of=made(), train=4, by='label').splits['train']).columns['label']
  assert np.bincount(each).tolist() == [4, 4, 4, 3]


def named():
  data = made()
  return data._replace(spec={**data.spec, 'label': Column((), np.int32, classes=('ant', 'bee', 'cat', 'dog'))})


def test_classes_are_chosen_by_a_file_and_numbered_anew(tmp_path):
  (tmp_path / 'some.txt').write_text('dog bee\n')
  data = some_classes(of=named(), names=tmp_path / 'some.txt')
  train, held = data.splits['train'], resident(data.splits['train']).columns
  assert data.spec['label'].classes == data.info['classes'] == ('bee', 'dog') and data.spec['label'].size == 2
  assert np.bincount(held['label']).tolist() == [20, 3] and (held['x'] == np.flatnonzero((LABEL == 1) | (LABEL == 3))).all()
  assert len(train) == 23 and train[20]['label'] == 1 and train[20]['x'] == 60.0
  assert resident(data.splits['train'], limit=8) is None


def test_noise_replaces_a_share_of_the_training_labels():
  many = arrays(x=np.zeros(4000), label=np.arange(4000) % 5, test=dict(x=np.zeros(50), label=np.arange(50) % 5))
  data = noised(of=many, rate=0.4)
  train, test = (resident(data.splits[name]).columns for name in ('train', 'test'))
  assert abs(np.mean(train['label'] != train['clean']) - 0.4) < 0.03 and (test['label'] == test['clean']).all()
  moved = (train['label'] - train['clean'])[train['label'] != train['clean']] % 5
  np.testing.assert_allclose(np.bincount(moved, minlength=5)[1:] / len(moved), 0.25, atol=0.04)


def test_columns_are_made_when_they_are_read():
  asked = []
  data = with_columns(made(), lambda split, columns: asked.append(split) or dict(y=2 * columns['x']), dict(y=Column((), np.float64)))
  assert not asked and data.splits['test'][2]['y'] == 4 and asked == ['test']


def test_operators_in_a_config():
  data = open_data(dict(name='subset', of=dict(name='few', of=dict(name='digits'), shots=3), train=7, by='label'))
  assert len(data.splits['train']) == 70 and {*data.spec} == {'image', 'label', 'few'}
  with pytest.raises(ConfigError, match="of: no data is called 'digitz'"):
    open_data(dict(name='subset', of=dict(name='digitz'), train=7))


@pytest.mark.parametrize('make, says', [
  (lambda: few(of=made(), shots=0), 'label at least 1 example'),
  (lambda: few(of=made(), column='y'), "no column 'y'"),
  (lambda: subset(of=made(), train=0), 'at least 1'),
  (lambda: subset(of=made(), test=9), 'has 8 examples'),
  (lambda: noised(of=made(), rate=1.5), 'a rate in'),
])  # fmt: skip
def test_what_cannot_be_made(make, says):
  with pytest.raises(ValueError, match=says):
    make()


@pytest.mark.parametrize('names, says', [
  (('bee', 'cow'), "no class 'cow'"),
  ('there/is/none.txt', 'no such file'),
  ((), 'name at least one'),
])  # fmt: skip
def test_classes_that_are_not_there(names, says):
  with pytest.raises(DataError, match=says):
    some_classes(of=named(), names=names)
