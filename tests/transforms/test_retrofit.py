"""Retrofitting against a loop, and against the linear system that it solves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.transforms import neighbours_to_edges, retrofit, retrofit_random, rewire


def loop(x, neighbours, iterations, alpha):
  """All vectors at once, word by word."""
  q = x.copy()
  for _ in range(iterations):
    new = q.copy()
    for i, js in enumerate(neighbours):
      if js:
        beta = 1 / len(js)
        new[i] = (alpha * x[i] + sum(beta * q[j] for j in js)) / (alpha + beta * len(js))
    q = new
  return q


@pytest.fixture(scope='module')
def graph():
  rng = np.random.default_rng(0)
  pairs = {tuple(sorted(p)) for p in rng.integers(0, 25, (40, 2)) if p[0] != p[1]}  # 5 vectors stay without edges
  neighbours = [[] for _ in range(30)]
  for i, j in pairs:
    neighbours[i].append(j)
    neighbours[j].append(i)
  return np.array(sorted(pairs)), neighbours, rng.normal(size=(30, 4))


def run(t, x, edges):
  return np.asarray(jax.jit(lambda x, e: t.apply(t.fit(x, e), x))(jnp.asarray(x, jnp.float32), jnp.asarray(edges)))


@pytest.mark.parametrize('alpha', [1.0, 0.3])
def test_is_the_loop(graph, alpha):
  edges, neighbours, x = graph
  np.testing.assert_allclose(run(retrofit(alpha=alpha), x, edges), loop(x, neighbours, 10, alpha), atol=1e-5)


def test_solves_the_linear_system(graph):
  edges, neighbours, x = graph
  a = np.eye(30)
  for i, js in enumerate(neighbours):
    for j in js:
      a[i, i] += 1 / len(js)
      a[i, j] -= 1 / len(js)
  exact = np.linalg.solve(a, x)
  np.testing.assert_allclose(run(retrofit(iterations=60), x, edges), exact, atol=1e-5)
  assert np.abs(run(retrofit(), x, edges) - exact).max() < 1e-2  # the paper's ten are enough


def test_padding_loops_and_lonely_vectors(graph):
  edges, _, x = graph
  padded = np.concatenate([edges, [[-1, 3], [4, -1], [-1, -1], [7, 7]]])
  np.testing.assert_allclose(run(retrofit(), x, padded), run(retrofit(), x, edges), atol=1e-6)
  lonely = np.setdiff1d(np.arange(30), edges)
  np.testing.assert_allclose(run(retrofit(), x, edges)[lonely], x[lonely], atol=1e-6)
  np.testing.assert_allclose(run(retrofit(), x, np.full((3, 2), -1)), x, atol=1e-6)


def test_neighbour_lists_are_directed_edges(graph):
  _, neighbours, x = graph
  width = max(map(len, neighbours))
  lists = np.array([js + [-1] * (width - len(js)) for js in neighbours])
  ours = run(retrofit(directed=True), x, neighbours_to_edges(lists))
  np.testing.assert_allclose(ours, loop(x, neighbours, 10, 1.0), atol=1e-5)


def test_rewiring_keeps_degrees(graph):
  edges = jnp.asarray(np.concatenate([graph[0], np.full((4, 2), -1)])[::-1])
  other = rewire(edges, jax.random.key(0))
  for end in (0, 1):
    np.testing.assert_array_equal(np.sort(edges[:, end]), np.sort(other[:, end]))
  np.testing.assert_array_equal(np.all(edges >= 0, 1), np.all(other >= 0, 1))
  assert np.mean(edges != other) > 0.2


def test_a_lexicon_brings_out_meaning_and_a_random_one_does_not():
  """Noisy vectors of 10 clusters; edges within clusters denoise them, rewired edges blur them."""
  rng = np.random.default_rng(1)
  cluster = np.repeat(np.arange(10), 20)
  truth = rng.normal(size=(10, 16))[cluster]
  x = truth + 1.5 * rng.normal(size=truth.shape)
  edges = np.array([(i, j) for i in range(200) for j in rng.choice(np.flatnonzero(cluster == cluster[i]), 4) if i < j])

  def meaning(z):
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    cosine = (z @ z.T)[np.triu_indices(200, 1)]
    same = (cluster[:, None] == cluster)[np.triu_indices(200, 1)]
    return (cosine[same].mean() - cosine[~same].mean()) / cosine.std()

  assert meaning(run(retrofit(), x, edges)) > 1.5 * meaning(x)
  assert meaning(run(retrofit_random(), x, edges)) < meaning(x)


def test_bad_arguments_raise():
  with pytest.raises(ValueError, match='alpha'):
    retrofit(alpha=0.0)
  with pytest.raises(ValueError, match='m 2'):
    retrofit().fit(np.zeros((3, 2)), np.zeros((2, 3), int))
