"""Embedding tables, relations and graph convolution against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.graph.gat import Gat, GraphDecoder
from jssl.models.graph.gcn import Gcn
from jssl.models.heads.projection import PReluMlp
from jssl.models.words.embedding import Embedding, EmbeddingBag, bilinear, rotate, transe
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


def test_phases_are_uniform_over_the_circle():
  phases = rotate(Embedding((), count=2, dim=400, rngs=nnx.Rngs(0)), count=5, rngs=nnx.Rngs(1)).vectors
  assert phases.shape == (5, 200) and abs(phases).max() <= np.pi
  np.testing.assert_allclose(np.histogram(phases, 4, (-np.pi, np.pi))[0] / 1000, 0.25, atol=0.05)


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


def leaky(x, slope):
  return np.where(x > 0, x, slope * x)


def normed(x):
  return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)


def small_graph(seed):
  """Five nodes, the last of which is padding, with edges in both directions."""
  rng = np.random.default_rng(seed)
  x, a = rng.normal(size=(1, 5, 3)).astype(np.float32), np.triu(rng.random((5, 5)) < 0.6, 1)[None]
  x[:, 4], a[..., 4] = 0, False
  return Graph(jnp.asarray(x), jnp.asarray(a | a.swapaxes(1, 2)))


def test_gcn_with_norm_slopes_and_standardised_weights_is_its_formula():
  graph = small_graph(0)
  gcn = Gcn((5, 3), widths=(4, 2), norm='layer', act='prelu', standardize=True, rngs=nnx.Rngs(0))
  gcn.act1.negative_slope[...] = 0.6
  s, y = np.asarray(normalized_adjacency(graph.adjacency))[0], np.asarray(graph.nodes)[0]
  w = np.asarray(gcn.linear2.kernel[...])
  w = (w - w.mean(0)) / np.sqrt(w.var(0, ddof=1) + 1e-5)
  y = leaky(normed(s @ y @ np.asarray(gcn.linear1.kernel[...])), 0.6)
  np.testing.assert_allclose(gcn(graph).tokens[0], leaky(normed(s @ y @ w), 0.25), rtol=1e-4, atol=1e-5)


def attended(layer, x, a):
  """Graph attention in loops, without its norm and activation."""
  w, source, target = (np.asarray(p[...]) for p in (layer.linear.kernel, layer.source, layer.target))
  z = (x @ w).reshape(len(x), *source.shape)
  out = np.zeros_like(z)
  for h in range(len(source)):
    for i in range(len(x)):
      near = [j for j in range(len(x)) if a[i, j] or j == i]
      e = np.array([np.exp(leaky(z[i, h] @ source[h] + z[j, h] @ target[h], 0.2)) for j in near])
      out[i, h] = sum(weight * z[j, h] for weight, j in zip(e / e.sum(), near, strict=True))
  return out.reshape(len(x), -1)


def test_graph_attention_is_its_formula_and_padding_changes_nothing():
  graph = small_graph(1)
  gat = Gat((5, 3), widths=(4, 6), heads=2, norm='layer', dropout=0.2, attention_dropout=0.2, rngs=nnx.Rngs(0))
  gat.mask_token[...] = jnp.array([1.0, 2.0, 3.0])
  mask = jnp.array([[False, True, False, False, False]])
  x, a = np.asarray(graph.nodes)[0].copy(), np.asarray(graph.adjacency)[0]
  x[1] = [1, 2, 3]
  for layer in (gat.layer1, gat.layer2):
    x = leaky(normed(attended(layer, x, a)), 0.25)
  found = gat(graph, mask=mask)
  np.testing.assert_allclose(found.tokens[0], x, rtol=1e-4, atol=1e-5)
  less = gat(Graph(graph.nodes[:, :4], graph.adjacency[:, :4, :4]), mask=mask[:, :4])
  np.testing.assert_allclose(less.tokens, found.tokens[:, :4], rtol=1e-5, atol=1e-6)
  dropped = [gat(graph, keys=jax.random.split(jax.random.key(seed), 1)).pooled for seed in (0, 0, 1)]
  np.testing.assert_array_equal(dropped[0], dropped[1])
  assert not np.allclose(dropped[0], dropped[2])


def test_hidden_nodes_are_zero_for_the_decoder():
  graph, tokens = small_graph(2), jax.random.normal(jax.random.key(0), (1, 5, 4))
  mask = jnp.array([[True, False, True, False, False]])
  decoder = GraphDecoder(Gat((5, 3), widths=(4,), heads=2, rngs=nnx.Rngs(0)), dim=3, rngs=nnx.Rngs(1))
  rep = np.where(mask[0][:, None], 0, np.asarray(tokens[0] @ decoder.linear.kernel[...]))
  found = decoder(tokens, graph, mask)
  np.testing.assert_allclose(found[0], attended(decoder.layer, rep, np.asarray(graph.adjacency)[0]), rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(decoder(tokens.at[:, 0].set(9.0), graph, mask), found, rtol=1e-5)
  decoder.remask = False
  assert not np.allclose(decoder(tokens, graph, mask), found)


def test_a_predictor_has_a_slope_between_its_maps():
  mlp = PReluMlp(3, widths=(4, 2), rngs=nnx.Rngs(0))
  mlp.act0.negative_slope[...] = 0.5
  x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
  expected = leaky(x @ np.asarray(mlp.linear0.kernel[...]), 0.5) @ np.asarray(mlp.linear1.kernel[...])
  np.testing.assert_allclose(mlp(x), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
  ('make', 'match'),
  [
    (lambda: Gcn((5, 3), norm='batch', rngs=nnx.Rngs(0)), "choose 'layer' or 'none'"),
    (lambda: Gat((5, 3), norm='batch', rngs=nnx.Rngs(0)), "choose 'layer' or 'none'"),
    (lambda: Gat((5, 3), widths=(6,), heads=4, rngs=nnx.Rngs(0)), 'give a multiple'),
  ],
)
def test_graph_networks_refuse(make, match):
  with pytest.raises(ValueError, match=match):
    make()
