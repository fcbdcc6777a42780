"""Data for tuning and for final figures: nothing that is judged is in both."""

import numpy as np
import pytest

from jssl.core.build import open_data
from jssl.data.core.arrays import arrays
from jssl.data.core.operators import few
from jssl.data.core.roles import development, final
from jssl.data.retrieval.unseen_books import unseen_books
from jssl.errors import ConfigError
from jssl.types import Judged

N, M = 200, 60


def data(**changes):
  of = lambda first, n: dict(row=np.arange(first, first + n, dtype=np.int32), label=(np.arange(n) % 4).astype(np.int32))
  held = arrays(
    **of(0, N), test=of(N, M), info=dict(split='random', texts=dict(train=[f't{i}' for i in range(N)], test=[f't{N + i}' for i in range(M)]))
  )
  return held._replace(**changes)


def rows(split):
  return np.array([split[i]['row'] for i in range(len(split))])


def test_validation_is_a_share_of_train_by_class_and_the_test_split_is_gone():
  one, other = development(of=data(), seed=0), development(of=data(), seed=1)
  assert len(one.splits['train']) == 160 and len(one.splits['test']) == 40
  assert np.bincount([e['label'] for e in map(one.splits['test'].__getitem__, range(40))]).tolist() == [10] * 4
  assert sorted([*rows(one.splits['train']), *rows(one.splits['test'])]) == list(range(N)), 'none of the test split is left'
  assert set(rows(one.splits['test'])) != set(rows(other.splits['test']))
  assert one.info['texts']['test'] == [f't{i}' for i in rows(one.splits['test'])]


def test_final_data_are_split_anew_by_the_seed_as_large_as_they_were():
  one, other = final(of=data(), seed=1000), final(of=data(), seed=1001)
  for made in (one, other):
    assert len(made.splits['train']) == N and len(made.splits['test']) == M
    assert sorted([*rows(made.splits['train']), *rows(made.splits['test'])]) == list(range(N + M))
    assert made.info['texts']['train'] == [f't{i}' for i in rows(made.splits['train'])]
  assert set(rows(one.splits['test'])) != set(rows(other.splits['test']))
  fixed = final(of=data(info={}), seed=1000)
  np.testing.assert_array_equal(rows(fixed.splits['test']), np.arange(N, N + M))
  labelled = final(of=few(of=data(), shots=3))  # drawn within each split, so that rows do not change sides
  np.testing.assert_array_equal(rows(labelled.splits['test']), np.arange(N, N + M))


def test_judgements_are_read_by_halves_and_other_splits_take_the_place_of_judged_ones():
  train = data().splits['train']
  judged = Judged(carved=None, instead={'test': 'valid', 'all': None}, halved=('relevance', 'similarity'))
  relevance = arrays(query=np.repeat(np.arange(10, dtype=np.int32), 3), document=np.arange(30, dtype=np.int32)).splits['train']
  similarity = {'pairs': (np.arange(20).reshape(10, 2), np.arange(10.0))}
  whole = data(splits={**data().splits, 'valid': train, 'all': train, 'relevance': relevance}, info=dict(similarity=similarity), judged=judged)
  tuned, found = development(of=whole), final(of=whole)
  assert rows(tuned.splits['test']).max() < N and 'all' not in tuned.splits and 'all' in found.splits
  queries = [set(made.splits['relevance'].columns['query'].tolist()) for made in (tuned, found)]
  assert not queries[0] & queries[1] and queries[0] | queries[1] == set(range(10))
  assert all(len(made.splits['relevance']) == 15 for made in (tuned, found)), 'a query keeps all its documents'
  scores = [set(made.info['similarity']['pairs'][1].tolist()) for made in (tuned, found)]
  assert not scores[0] & scores[1] and len(scores[0] | scores[1]) == 10
  with pytest.raises(ValueError, match=r"the splits \['relevance'\] may hold the data of final figures"):
    development(of=data(splits={**data().splits, 'relevance': relevance}))


def undeclared():
  """Data that do not say what replaces their judgements."""
  return unseen_books()._replace(judged=None)


def test_roles_say_what_they_lack():
  with pytest.raises(ConfigError, match="the splits \\['relevance'\\] may hold the data of final figures"):
    open_data(dict(name='development', of=dict(name='tests.data.test_roles:undeclared')))


def test_unseen_books_are_tuned_on_verses_of_known_books():
  books = open_data(dict(name='development', of=dict(name='unseen_books')))
  assert set(books.splits) == {'train', 'test'} and 'book' in books.splits['test'][0]
