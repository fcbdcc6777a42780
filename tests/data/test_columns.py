"""What columns say of themselves, and what is read off them."""

import jax
import numpy as np
import pytest

from jssl import configs
from jssl.core.build import plan
from jssl.data import arrays
from jssl.data.core.memory import hold
from jssl.errors import ConfigError
from jssl.ops.look_up import look_up, one_hot, pick
from jssl.options import with_facts
from jssl.types import Column
from tests.core.tiny import tiny

IDS = np.array([[2, 5, 0], [7, 0, 0]])


def test_whole_numbers_have_the_size_that_they_need():
  data = arrays(ids=IDS, test=dict(ids=IDS + 1))
  assert data.spec['ids'].size == 9 and arrays(turn=np.array([1, -1])).spec['turn'].size is None
  assert arrays(label=[0, 1], info=dict(classes=('cat', 'dog', 'emu'))).spec['label'].size == 3


@pytest.mark.parametrize('entry', [-1, 10, 2**40])
@pytest.mark.parametrize('split', ['train', 'test'])
def test_an_entry_out_of_range_is_named(split, entry):
  good, bad = np.arange(4), np.array([0, 1, entry, 3])
  columns = dict(train=good, test=good) | {split: bad}
  expected = 'has .* in example 2: expected numbers from 0 to 9' if abs(entry) < 2**31 else 'fit 32 bits'
  with pytest.raises(ValueError, match=expected):
    arrays(label=columns['train'], test=dict(label=columns['test']), facts=dict(label=dict(size=10)))


def test_padding_may_lie_outside():
  assert arrays(few=[0, -1, 2], facts=dict(few=dict(size=3, pad=-1))).spec['few'].size == 3
  with pytest.raises(ValueError, match='or -1 for none'):
    arrays(few=[0, -2, 2], facts=dict(few=dict(size=3, pad=-1)))


def test_facts_of_no_column():
  with pytest.raises(ValueError, match="'idz': expected one of the columns"):
    arrays(ids=IDS, facts=dict(idz=dict(size=3)))


def test_what_may_be_hidden():
  column = Column((3,), 'int32', size=9, pad=0, first=3, start=1)
  np.testing.assert_array_equal(column.real(IDS), [[1, 1, 0], [1, 0, 0]])
  np.testing.assert_array_equal(column.maskable(IDS), [[0, 1, 0], [0, 0, 0]])
  assert column.facts == dict(size=9, pad=0, mask=None, first=3, start=1, classes=())


def test_facts_in_configs():
  columns = dict(ids=Column((3,), 'int32', size=9, first=3), x=Column((4, 2), 'float32'))
  assert with_facts(dict(a='data.ids.size', b=('data.x.length', 'data.x.width'), c='data.ids'), columns) == dict(a=9, b=(4, 2), c='data.ids')
  assert with_facts('nets.backbone.table[data.ids.first:data.ids.size]', columns) == 'nets.backbone.table[3:9]'
  for wrong, why in (('data.idz.size', 'no column'), ('data.ids.siz', "no 'siz'"), ('data.x.size', 'is not known')):
    with pytest.raises(ConfigError, match=why):
      with_facts(wrong, columns)


def test_look_ups_tell_what_is_out_of_range():
  table, ids = np.arange(6.0).reshape(3, 2), np.array([0, 2, 3, -1])
  good = np.array([1, 1, 0, 0], bool)
  np.testing.assert_array_equal(np.isfinite(look_up(jax.numpy.asarray(table), ids)).all(-1), good)
  np.testing.assert_array_equal(np.isfinite(pick(jax.numpy.ones((4, 3)), ids)), good)
  np.testing.assert_array_equal(np.isfinite(one_hot(ids, 3)).all(-1), good)


@pytest.mark.parametrize(
  'system, change, message',
  [
    ('distmult', dict(backbone=dict(name='embedding', on='data.head', count=50, dim=8)), 'numbers up to 103'),
    ('i_edl', dict(heads=dict(classifier=dict(name='linear', dim=5))), '10 classes, .* have 5'),
    ('mlm_u', dict(backbone=dict(name='bert', vocabulary=20, width=16, depth=1, heads=2)), 'numbers up to 43'),
  ],
)
def test_a_network_that_knows_fewer_is_refused(system, change, message):
  c = {**configs.module(system).get_config().to_dict(), **change}
  with pytest.raises(ConfigError, match=message):
    p = plan(c)
    state = jax.eval_shape(p.method.init, jax.random.key(0))
    jax.eval_shape(p.method.loss, *state, p.batch, jax.random.key(0), 0)


def test_a_column_that_does_not_say_its_size_is_counted_before_it_is_looked_up():
  ids = np.arange(60).reshape(20, 3) % 30
  c = {**tiny(), 'heads': {}, 'view': dict(name='duplicate'), 'inputs': None, 'passes': dict(views=dict(name='embed'))}
  c['backbone'] = dict(name='bert', vocabulary=30, width=8, depth=1, heads=2, mask_id=1)
  opened = lambda x, **facts: plan({**c, 'data': hold(arrays(ids=x, inputs='ids', facts=dict(ids=facts)))})
  opened(ids)
  with pytest.raises(ConfigError, match='numbers up to 30'):
    opened(np.where(ids == 7, 30, ids))
  with pytest.raises(ValueError, match='entries below 0'):
    opened(np.where(ids == 7, -1, ids))
