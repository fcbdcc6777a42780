"""Synonyms of the tokens of a text."""

from importlib.util import find_spec

import numpy as np
import pytest

from jssl.data.text import tokenize
from jssl.data.text.corpora import lee
from jssl.data.text.synonyms import synonyms
from jssl.errors import DataError

pytestmark = pytest.mark.skipif(not (find_spec('tokenizers') and find_spec('scattertext')), reason='needs tokenizers and scattertext')


def test_words_have_synonyms_and_word_pieces_have_none():
  data = synonyms(of=lee(tokenizer='starts', length=16), count=3)
  some, tokenizer = data.splits['train'].take(np.arange(300)), tokenize.load('starts')
  ids, others = some['ids'], some['synonyms']
  assert others.shape == (300, 16, 3) == (300, *data.spec['synonyms'].shape) and others.max() < data.spec['synonyms'].size
  same = (others == ids[..., None]).all(-1)
  pieces = np.array([[(tokenizer.id_to_token(int(i)) or '').startswith('##') for i in row] for row in ids])
  assert same[ids < 5].all() and same[pieces].all() and same[:, :-1][pieces[:, 1:]].all(), 'of whole words alone'
  assert 0.2 < 1 - same[ids >= 5].mean() < 0.8
  one = lambda word: tokenizer.token_to_id(word)
  assert (ids == one('fire')).any() and one('open') in others[(ids == one('fire')) & ~same].ravel()
  assert 'pairs_test' in data.splits and 'synonyms' not in data.splits['pairs_test'][0]


def test_data_without_a_tokenizer_are_refused():
  with pytest.raises(DataError, match='has no tokenizer'):
    synonyms(of=lee(length=8)._replace(info={}))
