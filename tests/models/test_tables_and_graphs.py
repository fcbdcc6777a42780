"""Embedding tables, relations and graph convolution against loops."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl.models.graph.gcn import Gcn
from jssl.models.words.embedding import Embedding, EmbeddingBag, bilinear, transe
from jssl.ops.graphs import Graph, normalized_adjacency


def test_bag_is_the_mean_of_what_is_there():
  bag = EmbeddingBag((3,), count=5, dim=4, rngs=nnx.Rngs(0))
  table = np.asarray(bag.embedding[...])
  found = bag(jnp.array([[1, 3, 0], [2, 0, 0], [0, 0, 0]])).pooled
  np.testing.assert_allclose(found, np.stack([(table[1] + table[3]) / 2, table[2], np.zeros(4)]), rtol=1e-6)


def test_unit_vectors_have_no_gradient_along_themselves():
  table = Embedding((), count=3, dim=4, unit=True, rngs=nnx.Rngs(0))
  graphdef, params = nnx.split(table)
  loss = lambda p: jnp.sum(nnx.merge(graphdef, p)(jnp.array([1])).pooled * jnp.arange(4.0))
  np.testing.assert_allclose(np.linalg.norm(table(jnp.arange(3)).pooled, axis=1), 1, rtol=1e-6)
  g = nnx.to_pure_dict(jax.grad(loss)(params))['embedding']
  np.testing.assert_allclose(g[1] @ np.asarray(table.embedding[...])[1], 0, atol=1e-5)
  assert not g[0].any() and g[1].any()


def test_relations_broadcast_over_candidates():
  entities = Embedding((), count=6, dim=4, rngs=nnx.Rngs(0))
  h, r, t = entities(jnp.array([0, 1])).pooled, jnp.array([0, 2]), entities(jnp.arange(6)).pooled
  for make in (transe, bilinear):
    score = make(entities, count=3, rngs=nnx.Rngs(1))
    table = score(h[:, None], r[:, None], t)
    assert table.shape == (2, 6)
    np.testing.assert_allclose(table[1, 4], score(h, r, t[4:5])[1], rtol=1e-5)


def test_adjacency_is_normalized_with_loops():
  a = np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]], np.float32)
  looped = a + np.eye(3)
  d = np.diag(looped.sum(1) ** -0.5)
  np.testing.assert_allclose(normalized_adjacency(jnp.asarray(a)[None])[0], d @ looped @ d, rtol=1e-6)


def test_gcn_is_its_formula_and_padding_changes_nothing():
  rng = np.random.default_rng(0)
  x, a = rng.normal(size=(1, 4, 3)).astype(np.float32), np.triu(rng.random((4, 4)) < 0.7, 1)[None]
  a = a | a.swapaxes(1, 2)
  gcn = Gcn((4, 3), widths=(5, 2), rngs=nnx.Rngs(0))
  for i, layer in enumerate((gcn.linear1, gcn.linear2)):
    layer.bias[...] = jax.random.normal(jax.random.key(i), layer.bias[...].shape)
  found = gcn(Graph(jnp.asarray(x), jnp.asarray(a)))
  s, y = np.asarray(normalized_adjacency(jnp.asarray(a)))[0], x[0]
  for layer in (gcn.linear1, gcn.linear2):
    y = np.maximum(s @ y @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...]), 0)
  np.testing.assert_allclose(found.tokens[0], y, rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(found.pooled[0], y[0], rtol=1e-4, atol=1e-6)
  padded = gcn(Graph(jnp.pad(x, ((0, 0), (0, 2), (0, 0))), jnp.pad(a, ((0, 0), (0, 2), (0, 2)))))
  np.testing.assert_allclose(padded.pooled, found.pooled, rtol=1e-5, atol=1e-6)
