"""Texts made for a question."""

import numpy as np
import pytest

from jssl.data.text import contrasted, probing, simlex
from jssl.data.vision import coloured_digits
from jssl.data.words import thesaurus


def column(split, name):
  return np.array([split[i][name] for i in range(len(split))])


def test_names_go_with_occupations_in_train_alone():
  data = probing.occupations(agreement=0.8)
  share = {}
  for split, examples in data.splits.items():
    share[split] = np.mean((column(examples, 'label') >= 2) == column(examples, 'gender'))
  assert share['train'] == pytest.approx(0.8, abs=0.04) and share['test'] == pytest.approx(0.5, abs=0.06)
  names = lambda split: {n for text in data.info['texts'][split] for some in probing.NAMES for n in some if n in text.replace('.', '').split()}
  assert len(names('train')) == len(names('test')) == 16 and not names('train') & names('test')


def test_code_and_prose_come_by_turns():
  data = probing.code_or_prose()
  assert set(data.splits) == {'train', 'test'} and len(data.splits['train']) > 1000
  np.testing.assert_array_equal(column(data.splits['test'], 'label')[:4], [1, 0, 1, 0])
  assert 'return' in ' '.join(data.info['texts']['train'][::2])


def test_words_that_people_judged_are_texts_of_their_own():
  data = simlex.simlex()
  words, pairs = data.info['texts']['test'], data.splits['pairs']
  assert len(words) == len(data.splits['test']) == len(data.splits['train']) == 1028 and len(pairs) == 999
  first = pairs[0]
  assert (words[first['a']], words[first['b']]) == ('old', 'new') and first['score'] == np.float32(1.58)


def test_neighbours_in_a_thesaurus_are_alike():
  data = thesaurus.counted_words(corpora=('lee',), dim=8)
  words, edges = data.info['words'], data.info['edges']
  vectors = data.splits['train'].columns['vector']
  assert vectors.shape == (len(words), 8) and edges.max() < len(words) and (edges[:, 0] < edges[:, 1]).all()
  joined = {tuple(pair) for pair in edges.tolist()}
  pairs, scores = data.info['similarity']['simlex']
  told = np.array([tuple(sorted(pair)) in joined for pair in pairs.tolist()])
  assert scores[told].mean() > scores[~told].mean() + 1


def test_vectors_are_those_of_the_dense_matrix():
  sentences = [[0, 1, 2, 1], [2, 0, 3], [3, 3, 1]]
  joint = np.zeros((4, 4))
  for sentence in sentences:
    for i, a in enumerate(sentence):
      for j, b in enumerate(sentence):
        joint[a, b] += i != j and abs(i - j) <= 2
  mass = joint.sum(0)
  smoothed = mass**0.75 / np.sum(mass**0.75)
  with np.errstate(divide='ignore'):
    information = np.maximum(0, np.log(joint / mass[:, None] / smoothed))
  u, s, _ = np.linalg.svd(information)
  x, expected = thesaurus._vectors(sentences, 4, 2, 0.75, 2), u[:, :2] * np.sqrt(s[:2])
  np.testing.assert_allclose(x @ x.T, expected @ expected.T, atol=1e-5)


def test_stimuli_are_the_same_sentence_twice():
  data = contrasted.contrasted_reviews(pairs=6, length=16, vocabulary=600)
  assert len(data.splits['stimuli']) == 12 and column(data.splits['stimuli'], 'label').tolist() == [1, 0] * 6
  texts = data.info['texts']['stimuli']
  assert all(a.replace('wonderful', 'terrible') == b != a for a, b in zip(texts[::2], texts[1::2], strict=True))


def test_colours_turn_against_the_label():
  data = coloured_digits.coloured_digits()
  agree = {split: np.mean(column(x, 'label') == column(x, 'nuisance')) for split, x in data.splits.items()}
  assert agree['train'] == pytest.approx(0.9, abs=0.03) and agree['test'] == pytest.approx(0.1, abs=0.05)
  train = data.splits['train']
  seen, chance = column(train, 'seen'), column(train, 'propensity')
  assert 0.3 < seen.mean() < 0.7 and chance[seen == 1].mean() > chance[seen == 0].mean() + 0.2
  assert np.mean((column(train, 'imputation') > 0.5) == column(train, 'nuisance')) > 0.9
