"""Graphs, knowledge graphs, words and documents: what an example holds."""

from importlib.util import find_spec

import numpy as np
import pytest

from jssl.data.graph import blocks, knowledge
from jssl.data.retrieval import citations
from jssl.data.words import corpora

CORPUS = dict(documents=150, vocabulary=200, length=12)


def test_surroundings_come_in_the_order_of_a_search():
  edges = np.zeros((7, 7), bool)
  for i, j in ((0, 1), (0, 2), (1, 3), (2, 4), (4, 5)):
    edges[i, j] = edges[j, i] = True
  found = blocks.surroundings(edges, 0, 7, np.random.RandomState(0))
  assert found[0] == 0 and set(found[1:3]) == {1, 2} and set(found[3:]) == {3, 4}
  assert len(blocks.surroundings(edges, 0, 2, np.random.RandomState(0))) == 2


def test_blocks_are_nodes_with_their_subgraphs():
  data = blocks.blocks(nodes=100, inside=0.3, outside=0.02, size=8)
  train = data.splits['train'].columns
  np.testing.assert_array_equal(train['node'], train['nodes'][:, 0])
  np.testing.assert_array_equal(train['adjacency'], train['adjacency'].swapaxes(1, 2))
  assert not train['adjacency'][:, np.arange(8), np.arange(8)].any()
  assert len(train['label']) == 60 and set(train['label']) == set(range(5))


def test_triples_are_numbered():
  rows = np.array([('a', 'likes', 'b'), ('b', 'likes', 'c'), ('c', 'knows', 'a')])
  data = knowledge.triples(dict(train=rows, valid=rows[:1], test=rows[1:2]))
  assert data.info['entities'] == ['a', 'b', 'c'] and data.info['relations'] == ['knows', 'likes']
  assert {k: int(v) for k, v in data.splits['test'][0].items()} == dict(head=1, relation=1, tail=2)


def test_rare_triples_have_a_higher_weight():
  rows = np.array([('a', 'r', 'b'), ('a', 'r', 'c'), ('c', 'r', 'b'), ('b', 's', 'c')])
  data = knowledge.subsampled(of=knowledge.triples(dict(train=rows, valid=rows[:1], test=rows[1:2])))
  weights = [row['weight'] for row in data.splits['train']]
  np.testing.assert_allclose(weights, np.array([2 + 2 + 6, 2 + 1 + 6, 1 + 2 + 6, 1 + 1 + 6]) ** -0.5, rtol=1e-6)
  assert data.spec['weight'].dtype == np.float32


@pytest.mark.skipif(not find_spec('pykeen'), reason='needs pykeen, without its dependencies')
@pytest.mark.parametrize('name, entities, relations, train', [
  ('nations', 14, 55, 1592), ('kinships', 104, 25, 8544), ('umls', 135, 46, 5216)
])  # fmt: skip
def test_packaged_knowledge(name, entities, relations, train):
  data = getattr(knowledge, name)()
  assert len(data.info['entities']) == entities and len(data.info['relations']) == relations
  assert len(data.splits['train']) == train and set(data.splits) == {'train', 'valid', 'test'}


@pytest.fixture
def text(monkeypatch):
  sentences = [['the', 'cat', 'sat'], ['a', 'cat'], ['the', 'rare', 'dog', 'sat', 'the', 'cat']] * 3
  monkeypatch.setattr(corpora, 'CORPORA', {'king_james': lambda: sentences, 'lee': lambda: []})
  monkeypatch.setattr(corpora, 'similarity', lambda number: {})
  monkeypatch.setattr(corpora, 'analogies', lambda number: {})
  return sentences


def test_windows_stay_in_their_sentence(text):
  data = corpora.words(window=2, min_count=1, subsample=1.0, noise=4)
  name = ['', *data.info['words']]
  assert name[1] == 'cat' and len(data.splits['train']) == sum(map(len, text))  # of equal counts, the first in the alphabet
  seen = [([name[i] for i in row['context'][:, 0]], name[row['word'][0]]) for row in (data.splits['train'][i] for i in range(5))]
  assert seen[0] == (['', '', 'cat', 'sat'], 'the') and seen[2] == (['the', 'cat', '', ''], 'sat')
  assert seen[3] == (['', '', 'cat', ''], 'a')
  both = data.splits['train'].take(np.array([3, 0]))
  np.testing.assert_array_equal(both['noise'][1], data.splits['train'][0]['noise'])
  assert {k: (v.shape[1:], v.dtype) for k, v in both.items()} == {k: (v.shape, v.dtype) for k, v in data.spec.items()}


def test_noise_is_drawn_in_proportion_to_a_power_of_the_count(text):
  data = corpora.words(min_count=1, subsample=1.0, noise=4000, power=0.5)
  count = np.array([sum(sentence.count(word) for sentence in text) for word in data.info['words']])
  drawn = np.bincount(data.splits['train'].take(np.arange(10))['noise'].ravel(), minlength=len(count) + 1)
  assert drawn[0] == 0
  np.testing.assert_allclose(drawn[1:] / drawn.sum(), count**0.5 / (count**0.5).sum(), atol=0.01)


def test_frequent_words_are_thinned_out(text):
  kept = corpora.words(min_count=1, subsample=0.05).splits['train']
  assert 0 < len(kept) < sum(map(len, text))


def test_huffman_tree_is_a_prefix_code_of_least_length():
  counts = [40, 30, 20, 6, 4]
  nodes, turns = corpora.huffman(counts)
  lengths = (turns != 0).sum(1)
  assert lengths.tolist() == [1, 2, 3, 4, 4]
  ways = [tuple(zip(n[:k], t[:k], strict=True)) for n, t, k in zip(nodes, turns, lengths, strict=True)]
  assert len({way[0][0] for way in ways}) == 1  # one root
  for node in range(4):
    assert {turn for way in ways for n, turn in way if n == node} == {1, -1}


def test_words_are_their_ngrams():
  pieces = corpora.with_ngrams(['cat', 'cats'], (4,), 1000)
  assert pieces.shape == (3, 4) and (pieces[0] == 0).all() and pieces[1:, 0].tolist() == [1, 2]
  assert len({*pieces[1, 1:3]} & {*pieces[2, 1:4]}) == 1  # <cat, cat> and <cat, cats, ats>
  twice = corpora.with_ngrams(['aaaa'], (2, 3), 1000)[1]
  assert len(twice) == 1 + 5 + 4 and len({*twice}) == 1 + 3 + 3  # each n-gram as often as it occurs


def test_ngrams_and_their_hash_are_those_of_fasttext():
  assert corpora.fnv1a('a') == 0xE40C292C  # Fowler, Noll, Vo: published test vector
  assert corpora.fnv1a('é') == 1023043777  # fastText's bytes are signed
  assert corpora.ngrams_of('of', range(3, 7)) == ['<of', '<of>', 'of>']
  assert corpora.ngrams_of('of', (1, 2)) == ['<o', 'o', 'of', 'f', 'f>']
  fasttext = pytest.importorskip('gensim.models.fasttext')
  for word in ('of', 'banana', 'aaaa', 'née', 'Straße', '日本語'):
    for low, high in ((3, 6), (1, 3), (5, 5)):
      ours = [corpora.fnv1a(gram) % 2000 for gram in corpora.ngrams_of(word, range(low, high + 1))]
      assert ours == list(fasttext.ft_ngram_hashes(word, low, high, 2000)), (word, low, high)


@pytest.mark.parametrize('make', [citations.citations, lambda **o: citations.citation_neighbours(hard=(60, 2), dim=8, **o)])
def test_triplets_know_what_is_cited(make):
  data = make(**CORPUS)
  train, test = data.splits['train'], data.splits['test']
  assert len(train) == 5 * 120 and len(test) == 30 and (train.columns['ids'][:, 0] == citations.CLS).all()
  assert train.columns['ids'].max() < data.spec['ids'].size
  differs = lambda a, b: (train.columns[a] != train.columns[b]).any(1).all()
  assert differs('ids', 'positive') and differs('ids', 'negative') and differs('positive', 'negative')
  rows = data.splits['relevance'].columns
  assert (rows['query'] != rows['document']).all() and len(rows['query']) == 30 * 5


def test_citations_stay_in_the_topic_and_mostly_in_the_subtopic():
  train = citations.make_subtopics(np.random.RandomState(0), topics=2, subtopics=4, documents=400, held_out=0.5)['train']
  sub = (200 + np.arange(200)) % 8
  assert (train.topic[train.cited] == train.topic[:, None]).all() and (train.topic == sub % 2).all()
  assert abs((sub[train.cited] == sub[:, None]).mean() - 0.6) < 0.05
  assert len(citations.subtopic_citations(subtopics=4, **CORPUS).splits['train']) == 5 * 120


def test_neighbours_in_the_embedding_are_linked():
  cited = citations.make_corpus(np.random.RandomState(0), **CORPUS)['train'].cited
  e = citations.netmf(cited, 16)
  similarity = e @ e.T
  linked = np.mean([similarity[i, cited[i]].mean() for i in range(len(e))])
  assert linked > similarity.mean() + 0.2
