"""Sets that are drawn until they fit: sums, mazes, citations."""

import numpy as np
import pytest

from jssl.data.preference.chains import EQUALS, START, ZERO, chains, slips_of
from jssl.data.retrieval.citations import _one
from jssl.data.text.mazes import mazes


def _ids(digits, totals):
  return np.array([[START, *(d + ZERO for d in digits), EQUALS, *(t + ZERO for t in totals)]], np.int32)


def test_a_slip_is_a_total_that_does_not_follow_from_the_one_written_before():
  assert not slips_of(_ids([3, 9, 4], [3, 2, 6]), 3).any()
  np.testing.assert_array_equal(slips_of(_ids([3, 9, 4], [3, 5, 9]), 3), [[False, True, False]])
  np.testing.assert_array_equal(slips_of(_ids([3, 9, 4], [4, 3, EQUALS - ZERO]), 3), [[True, False, True]])


def test_the_chosen_answer_has_fewer_slips_to_the_same_question():
  data = chains(terms=4, train=200, test=100, human=20)
  train, test = data.splits['train'].columns, data.splits['test'].columns
  count = lambda columns, name: slips_of(columns[name], 4).sum(1)
  for columns in (train, test):
    assert (count(columns, 'chosen') < count(columns, 'rejected')).all()
    np.testing.assert_array_equal(columns['chosen'][:, :6], columns['rejected'][:, :6])
    half = lambda name, c=columns: slips_of(c[name], 4)[:, :2].sum(1)
    assert (half('cheap_chosen') < half('cheap_rejected')).all()
  assert (count(train, 'cheap_chosen') >= count(train, 'cheap_rejected')).any()  # cheap, and sometimes wrong
  assert len(np.unique(train['chosen'], axis=0)) <= 20 < len(np.unique(train['cheap_chosen'], axis=0))
  assert abs(slips_of(train['answer'], 4).mean() - 0.3) < 0.05
  np.testing.assert_array_equal(data.info['mark'](train['chosen']), slips_of(train['chosen'], 4))


@pytest.mark.parametrize('wrong', [dict(terms=1), dict(slips=0.0), dict(slips=1.0), dict(human=0), dict(train=0)])
def test_answers_that_cannot_differ_are_refused(wrong):
  """A second answer is drawn until it differs from the first, which here would be for ever."""
  with pytest.raises(ValueError, match='expected at least 2 terms'):
    chains(**wrong)


def test_more_mazes_than_there_are_are_refused():
  with pytest.raises(ValueError, match='draws gave no new one after 48: give fewer'):
    mazes(side=2)
  with pytest.raises(ValueError, match='2 x 2 cells or more'):
    mazes(side=1)


def test_documents_that_all_cite_each_other_have_no_negative():
  with pytest.raises(ValueError, match='give more documents'):
    _one(np.random.RandomState(0), (), [0, 1, 2], 3)
