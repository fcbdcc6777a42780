"""Link prediction and word vectors against loops and cases with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.data.core.arrays import Columns
from jssl.data.graph.knowledge import triples
from jssl.evaluators.graph.link_prediction import link_prediction
from jssl.evaluators.subject import Subject
from jssl.evaluators.words.word_similarity import analogy_ranks, word_similarity
from jssl.metrics.ranking import ranks
from jssl.models.words.embedding import Embedding, bilinear
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.types import Column, Data, Features

KEY = jax.random.key(0)
NAMES = 'abcdefg'


def graph(rng):
  rows = np.array(sorted({(NAMES[h], f'r{r}', NAMES[t]) for h, r, t in rng.integers(0, (7, 2, 7), (40, 3))}))
  rows = np.concatenate([np.array([(a, 'r0', a) for a in NAMES]), rows])
  return triples(dict(train=rows[:-6], valid=rows[-6:-3], test=rows[-3:]))


def test_links_are_filtered_ranks_of_both_sides():
  data = graph(np.random.default_rng(0))
  table = Embedding((), count=7, dim=3, rngs=nnx.Rngs(0))
  score = bilinear(table, count=2, rngs=nnx.Rngs(1))
  figures = link_prediction(Subject(data, lambda x: None, dict(backbone=table, relations=score)), batch_size=2)
  e, w = np.asarray(table.embedding[...], np.float64), np.asarray(score.embedding[...], np.float64)
  known = {tuple(int(row[c]) for c in ('head', 'relation', 'tail')) for split in data.splits.values() for row in split}
  found = {'head': [], 'tail': []}
  for row in data.splits['test']:
    h, r, t = (int(row[c]) for c in ('head', 'relation', 'tail'))
    s = lambda h, t, r=r: e[h] @ w[r] @ e[t]
    found['tail'].append(1 + sum(s(h, x) > s(h, t) for x in range(7) if (h, r, x) not in known))
    found['head'].append(1 + sum(s(x, t) > s(h, t) for x in range(7) if (x, r, t) not in known))
  for side, of in found.items():
    assert figures[f'mrr_{side}'] == pytest.approx(np.mean(1 / np.array(of)))
  both = np.array(found['head'] + found['tail'])
  assert figures['mrr'] == pytest.approx(np.mean(1 / both)) and figures['hits3'] == pytest.approx(np.mean(both <= 3))


def test_mirrored_links_are_those_whose_mirror_is_known():
  rows = np.array([('a', 'r', 'b'), ('b', 'r', 'c'), ('c', 's', 'd'), ('d', 'r', 'a')])
  asked = np.array([('b', 'r', 'a'), ('d', 's', 'b'), ('c', 'r', 'b')])
  data = triples(dict(train=rows, valid=asked[:1], test=asked))
  table = Embedding((), count=4, dim=3, rngs=nnx.Rngs(0))
  networks = dict(backbone=table, relations=bilinear(table, count=2, rngs=nnx.Rngs(1)))
  figures = link_prediction(Subject(data, lambda x: None, networks), mirrored=True)
  known = data._replace(splits={**data.splits, 'rest': data.splits['test'], 'test': [data.splits['test'][i] for i in (0, 2)]})
  assert figures == link_prediction(Subject(known, lambda x: None, networks))
  with pytest.raises(ValueError, match='no triple of .train. has its mirror'):
    link_prediction(Subject(data, lambda x: None, networks), split='train', mirrored=True)


def test_a_score_that_is_constant_ranks_in_the_middle():
  assert ranks(np.zeros((1, 5)), np.array([2]), np.ones((1, 5), bool)).tolist() == [3.0]
  assert ranks(np.array([[3.0, 2, 1]]), np.array([1]), np.array([[False, False, True]])).tolist() == [1.0]


def test_links_ask_for_a_table_of_all_entities():
  table = Embedding((), count=6, dim=3, rngs=nnx.Rngs(0))
  with pytest.raises(ValueError, match='set its count to 7'):
    PROTOCOLS['link_prediction'](Subject(graph(np.random.default_rng(0)), lambda x: None, dict(backbone=table, relations=None)), KEY)


def test_analogies_leave_out_the_question():
  x = np.array([[1, 0, 0], [1, 1, 0], [0.2, 0, 1], [0.2, 1, 1], [-1, 0, 0]])
  x /= np.linalg.norm(x, axis=1, keepdims=True)
  assert analogy_ranks(x, np.array([[0, 1, 2, 3], [1, 0, 3, 2], [0, 1, 2, 4]]), batch_size=2).tolist() == [1, 1, 2]


def test_words_correlate_ranks():
  vectors = np.array([[1, 0], [1, 0.1], [0, 1], [-1, 0], [0, -1]], np.float32)
  pairs = np.array([[0, 1], [0, 2], [0, 3]])
  info = dict(
    similarity=dict(up=(pairs, np.array([9, 5, 1])), down=(pairs, np.array([1, 5, 9]))),
    analogies={'family': np.array([[0, 1, 2, 3]]), 'gram1': np.array([[0, 1, 2, 4]])},
  )
  data = Data(dict(words=Columns(dict(word=np.arange(5)))), dict(word=Column((), np.int32, size=5)), 'word', info)
  figures = word_similarity(Subject(data, lambda x: Features(None, jnp.asarray(vectors)[x['word']])))
  assert figures['up'] == pytest.approx(1) and figures['down'] == pytest.approx(-1)
  assert figures['analogy'] == 0.5 and figures['analogy_mrr'] == 0.75
  assert figures['analogy_semantic'] == 1.0 and figures['analogy_syntactic'] == 0.0
  assert figures['asked'] == dict(up=3, down=3, analogy=2, analogy_semantic=1, analogy_syntactic=1)
  with pytest.raises(ValueError, match='backbone.count=9'):
    table = Embedding((), count=5, dim=3, rngs=nnx.Rngs(0))
    more = data._replace(spec=dict(word=Column((), np.int32, size=9)))
    PROTOCOLS['word_similarity'](Subject(more, lambda x: None, dict(backbone=table)), KEY)
