import numpy as np
import pytest

from jssl.data import Columns, GrainSource, arrays, resident
from jssl.ops.rows import take
from jssl.types import Column


def test_columns_become_data():
  x, y = np.arange(24).reshape(6, 4), np.linspace(0, 1, 6)
  data = arrays(ids=x, target=y, info={'vocabulary': 24})
  assert data.inputs == 'ids' and data.info['vocabulary'] == 24 and set(data.splits) == {'train'}
  assert data.spec == dict(ids=Column((4,), np.int32, size=24), target=Column((), np.float32))
  example = data.splits['train'][2]
  np.testing.assert_array_equal(example['ids'], x[2])
  assert len(data.splits['train']) == 6


def test_held_out_part_is_disjoint_and_fixed():
  x = np.arange(50)
  data, again, other = (arrays(x=x, held_out=0.2, seed=seed) for seed in (1, 1, 2))
  train, test = data.splits['train'].columns['x'], data.splits['test'].columns['x']
  assert len(test) == 10
  np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), x)
  np.testing.assert_array_equal(test, again.splits['test'].columns['x'])
  assert set(test) != set(other.splits['test'].columns['x'])


def test_given_test_split_and_source():
  data = arrays(triple=np.arange(30).reshape(10, 3), test=dict(triple=np.zeros((2, 3), int)))
  assert len(data.splits['test']) == 2
  batch = GrainSource(data.splits['train'], 4, process_index=0, process_count=1).next()
  np.testing.assert_array_equal(batch['triple'][:, 0], 3 * batch['example'])


@pytest.mark.parametrize(
  ('bad', 'message'),
  [
    (dict(), 'no columns'),
    (dict(x=np.zeros(3), y=np.zeros(4)), 'lengths'),
    (dict(x=np.float32(3)), 'first axis'),
    (dict(x=np.array(['a', 'b'])), 'ids'),
    (dict(x=np.array([None, 1])), 'numbers'),
    (dict(x=np.array([0, 2**40])), '32 bits'),
    (dict(x=np.zeros(3), inputs='y'), 'name one'),
    (dict(x=np.zeros(3), held_out=1.0), 'fraction'),
    (dict(x=np.zeros(3), held_out=0.5, test=dict(x=np.zeros(2))), 'both'),
    (dict(x=np.zeros(3), test=dict(y=np.zeros(2))), 'train columns'),
  ],
)
def test_bad_columns_are_refused(bad, message):
  with pytest.raises(ValueError, match=message):
    arrays(**bad)


def test_resident_stacks_a_list_and_respects_the_limit():
  examples = [dict(x=np.full((2, 3), i, np.float64), y=i) for i in range(5)]
  columns = resident(examples)
  assert isinstance(columns, Columns)
  assert columns.columns['x'].shape == (5, 2, 3) and columns.columns['x'].dtype == np.float32
  np.testing.assert_array_equal(columns.columns['y'], range(5))
  assert resident(examples, limit=100) is None
  assert resident(columns, limit=0) is columns
  with pytest.raises(ValueError, match='pad'):
    resident([dict(x=np.zeros(2)), dict(x=np.zeros(3))])


def test_rows_of_a_list_and_of_columns_are_the_same():
  """A split may be a list of dicts, for evaluators too."""
  columns = Columns(dict(x=np.arange(12).reshape(4, 3), label=np.arange(4)))
  for found in (take(columns, np.array([2, 0])), take([columns[i] for i in range(4)], np.array([2, 0]))):
    np.testing.assert_array_equal(found['x'], [[6, 7, 8], [0, 1, 2]])
    np.testing.assert_array_equal(found['label'], [2, 0])
