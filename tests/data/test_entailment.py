"""Pairs of natural language inference from a grammar."""

from importlib.util import find_spec

import numpy as np
import pytest

from jssl.data.text import entailment
from jssl.data.text.entailment import Sentence, likeness, relation

DOG = Sentence('dog', 'small', 'running', 'in the garden')


@pytest.mark.parametrize(
  'hypothesis, expected',
  [
    (DOG, 'entailment'),
    (Sentence('animal', '', 'moving', ''), 'entailment'),
    (Sentence('dog', '', 'running', 'outdoors'), 'entailment'),
    (Sentence('poodle', 'small', 'running', ''), 'neutral'),
    (Sentence('dog', 'old', 'running', ''), 'neutral'),
    (Sentence('dog', '', 'racing', ''), 'neutral'),
    (Sentence('cat', '', 'moving', ''), 'contradiction'),
    (Sentence('dog', 'large', 'running', ''), 'contradiction'),
    (Sentence('animal', '', 'sleeping', ''), 'contradiction'),
    (Sentence('poodle', '', 'running', 'in the attic'), 'contradiction'),
    (Sentence('dog', '', 'sleeping', '', denied=True), 'entailment'),
    (Sentence('dog', '', 'moving', '', denied=True), 'contradiction'),
    (Sentence('dog', '', 'running', '', denied=True), 'contradiction'),
    (Sentence('dog', '', 'racing', '', denied=True), 'neutral'),
    (Sentence('poodle', '', 'sleeping', '', denied=True), 'neutral'),
  ],
)
def test_the_class_follows_from_the_words(hypothesis, expected):
  assert relation(DOG, hypothesis) == expected


def test_likeness_is_the_same_in_both_directions():
  for other, expected in (
    (Sentence('animal', '', 'moving', ''), 1.0),
    (Sentence('dog', 'old', 'running', ''), 0.5),
    (Sentence('cat', '', 'moving', ''), 0.0),
  ):
    assert likeness(DOG, other) == likeness(other, DOG) == expected


def test_sentences_are_english():
  assert str(DOG) == 'a small dog is running in the garden'
  assert str(Sentence('owl', '', 'sleeping', '', denied=True)) == 'an owl is not sleeping'
  assert str(Sentence('owl', 'old', 'lying down', 'outdoors')) == 'an old owl is lying down outdoors'


@pytest.mark.skipif(not find_spec('tokenizers'), reason='needs tokenizers')
def test_splits_of_pairs():
  make = lambda **options: entailment.entailment(train=120, test=40, judged=30, length=14, vocabulary=500, **options)
  data = make()
  train, test, pairs = (data.splits[name].columns for name in ('train', 'test', 'pairs'))
  assert np.bincount(train['relation']).tolist() == [40, 40, 40] and len(data.splits['sentences']) == 60
  for kind, name in enumerate(('positive', 'neutral', 'negative')):
    rows = train['relation'] == kind
    assert (train['second'][rows] == train[name][rows]).all()
  assert not {*data.info['texts']['train']} & {*data.info['texts']['test']} and np.unique(train['ids'], axis=0).shape[0] == 120
  assert np.sum(pairs['score'] == 0) == 10 and np.sum(pairs['score'] == 1) >= 10 and pairs['b'].tolist() == list(range(30, 60))
  assert not any(' not ' in text for text in data.info['texts']['sentences'])
  assert make(seed=1).info['texts'] != data.info['texts']
  assert (test['ids'] != 1).all() and (test['ids'][:, -1] == 0).any(), 'no word is unknown, and sentences have several lengths'
