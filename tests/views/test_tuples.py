"""Corruptions of graphs and triples, and words drawn from windows."""

import jax
import numpy as np

from jssl.negatives import triples
from jssl.views import graph, words


def test_corrupted_graphs_lose_edges_and_features():
  keys = jax.random.split(jax.random.key(0), 50)
  batch = {'nodes': np.ones((50, 6, 40), np.float32), 'adjacency': np.ones((50, 6, 6), bool)}
  one, other = graph.corrupted_graph(keys, batch, edges=(0.2, 0.5), features=(0.0, 0.3))
  assert abs(np.mean(one.adjacency) - 0.8) < 0.05 and abs(np.mean(other.adjacency) - 0.5) < 0.05
  np.testing.assert_array_equal(one.nodes, batch['nodes'])
  assert abs(np.mean(other.nodes) - 0.7) < 0.05
  np.testing.assert_array_equal(other.nodes, np.repeat(other.nodes[:, :1], 6, 1))  # one mask for all nodes
  alone = graph.corrupted_graph(keys[7:8], {k: v[7:8] for k, v in batch.items()}, edges=(0.2, 0.5), features=(0.0, 0.3))
  np.testing.assert_array_equal(alone[1].adjacency[0], other.adjacency[7])


def test_corrupted_triples_are_never_the_true_one():
  keys = jax.random.split(jax.random.key(0), 400)
  h, t = np.arange(400, dtype=np.int32) % 5, (np.arange(400, dtype=np.int32) + 1) % 5
  heads, tails = triples.corrupted_triples(keys, {'head': h, 'tail': t}, entities=5, count=3)
  assert (heads[:, :3] != h[:, None]).all() and (heads[:, 3:] == h[:, None]).all()
  assert (tails[:, 3:] != t[:, None]).all() and (tails[:, :3] == t[:, None]).all()
  assert set(np.unique(heads)) == set(range(5))
  np.testing.assert_allclose(np.bincount((heads[:, :3] - h[:, None]).ravel() % 5)[1:] / 1200, 0.25, atol=0.05)


def test_near_words_are_drawn_more_often():
  n = 6000
  keys = jax.random.split(jax.random.key(0), n)
  context = np.tile(np.array([0, 11, 12, 13, 14, 15], np.int32)[:, None], (n, 1, 1))
  batch = {'word': np.full((n, 1), 9), 'context': context, 'noise': np.tile(np.arange(100, 120), (n, 1))}
  drawn = words.skip_gram(keys, batch, negatives=4)
  share = np.bincount(drawn['context'], minlength=16)[10:] / n
  np.testing.assert_allclose(share, np.array([0, 2, 3, 3, 2, 1]) / 11, atol=0.02)
  assert drawn['negatives'].shape == (n, 4) and all(len(set(row)) == 4 for row in np.asarray(drawn['negatives'][:20]))


def test_negatives_are_not_the_word_to_predict():
  keys = jax.random.split(jax.random.key(0), 500)
  noise = np.random.RandomState(0).randint(1, 4, (500, 20))
  batch = {'word': np.full((500, 1), 2), 'context': np.full((500, 6, 1), 3), 'noise': noise}
  assert set(np.unique(words.skip_gram(keys, batch, negatives=5)['negatives'])) == {1, 2}
  assert set(np.unique(words.cbow_context(keys, batch, negatives=5)['negatives'])) == {1, 3}


def test_windows_shrink_evenly():
  n = 3000
  keys = jax.random.split(jax.random.key(0), n)
  context = np.tile(np.array([1, 2, 3, 4, 5, 0], np.int32)[:, None], (n, 1, 1))
  batch = {'word': np.full((n, 1), 9), 'context': context, 'noise': np.ones((n, 3), np.int32)}
  mask = np.asarray(words.cbow_context(keys, batch, negatives=2)['mask'])
  np.testing.assert_allclose(mask.mean(0), [1 / 3, 2 / 3, 1, 1, 2 / 3, 0], atol=0.04)
  assert (mask[:, 1] <= mask[:, 2]).all() and (mask[:, 1] == mask[:, 4]).all()
