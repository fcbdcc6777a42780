"""Retrofitting: vectors that are moved towards their neighbours in a graph."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.types import Array, Key, Transform


class Graph(NamedTuple):
  """Weighted directed edges: `target` is updated from `source`."""

  target: Array  # [m] int32
  source: Array  # [m] int32
  weight: Array  # [m], 0 for padding


def neighbours_to_edges(neighbours: Array) -> Array:
  """Padded neighbour lists [n k] int, -1 for padding, as directed edges [n k 2] flattened to [n*k 2]."""
  n, k = neighbours.shape
  i = jnp.where(neighbours >= 0, jnp.arange(n)[:, None], -1)
  return jnp.stack([i, neighbours], -1).reshape(n * k, 2).astype(jnp.int32)


def retrofit(*, iterations: int = 10, alpha: float = 1.0, directed: bool = False) -> Transform:
  """Iteratively replaces each vector by the mean of its original value and of its neighbours.

  q_i <- (alpha q^_i + sum_j beta_ij q_j) / (alpha + sum_j beta_ij),   beta_ij = 1 / degree(i)

  All i are updated at once, from q = q^ (the given vectors). The error is multiplied by at most 1 / (1 + alpha) per iteration, towards
  the solution of (alpha I + B 1 - B) Q = alpha Q^. Vectors without neighbours are not changed.

  Args:
    iterations: 10 in the paper.
    alpha: weight of the vector itself, relative to a total weight of 1 for its neighbours. 1 in the paper.
    directed: if False, an edge (i, j) applies to both ends; if True, only i is updated from j.

  Returns:
    Transform: fit(x [n d], edges [m 2] int) -> Graph, apply(graph, x [n d]) -> [n d] float32. Each edge is listed once; an edge with a negative
      end is padding, and self-loops are ignored.

  Raises:
    ValueError: if alpha is not positive, or edges are not [m 2].

  Reference: Faruqui, Dodge, Jauhar, Dyer, Hovy, Smith 2015, arXiv:1411.4166, section 2, Eq. for the update. Since 1 / degree(i) is not
    symmetric, the update is not the gradient step of the paper's objective, but its row-wise form. The official code updates vectors one by
    one, which converges to the same point.
  """
  if alpha <= 0:
    raise ValueError(f'alpha={alpha}: expected a weight above 0 of the original vector')

  def fit(x, edges):
    if edges.ndim != 2 or edges.shape[1] != 2:
      raise ValueError(f'retrofit takes edges [m 2], pairs of row numbers, not {tuple(edges.shape)}')
    if not directed:
      edges = jnp.concatenate([edges, edges[:, ::-1]])
    target, source = edges[:, 0], edges[:, 1]
    real = ((target >= 0) & (source >= 0) & (target != source)).astype(jnp.float32)
    target, source = jnp.where(real > 0, edges.T, 0).astype(jnp.int32)
    degree = jax.ops.segment_sum(real, target, len(x))
    return Graph(target, source, real / jnp.maximum(degree[target], 1.0))

  def apply(graph, x):
    x = x.astype(jnp.float32)
    total = alpha + jax.ops.segment_sum(graph.weight, graph.target, len(x))[:, None]

    def update(_, q):
      return (alpha * x + jax.ops.segment_sum(graph.weight[:, None] * q[graph.source], graph.target, len(x))) / total

    return jax.lax.fori_loop(0, iterations, update, x)

  return Transform(fit, apply)


def rewire(edges: Array, key: Key) -> Array:
  """Rewires edges at random with the same degrees, as a control for the graph.

  Padding keeps its ends; resulting self-loops are ignored by `retrofit`.

  Args:
    edges: [m 2] int, negative ends for padding.
    key: key of the permutation.

  Returns:
    [m 2].

  Reference: Molloy, Reed 1995, doi:10.1002/rsa.3240060204, the configuration model.
  """
  real = jnp.all(edges >= 0, 1)
  # Sorting random numbers, with padding last and in place, permutes the other second ends among themselves.
  place = jnp.argsort(jnp.where(real, 0.0, 1.0), stable=True)
  order = jnp.argsort(jnp.where(real, jax.random.uniform(key, real.shape), 2.0), stable=True)
  second = edges[:, 1].at[place].set(edges[order, 1])
  return jnp.stack([edges[:, 0], second], 1)


def retrofit_random(*, seed: int = 0, iterations: int = 10, alpha: float = 1.0, directed: bool = False) -> Transform:
  """The control of `retrofit`: a graph of the same degrees with its edges rewired at random.

  Args:
    seed: seed of the rewiring.
    iterations: as in `retrofit`.
    alpha: as in `retrofit`.
    directed: as in `retrofit`.

  Returns:
    Transform, as for `retrofit`.
  """
  same = retrofit(iterations=iterations, alpha=alpha, directed=directed)
  return Transform(lambda x, edges: same.fit(x, rewire(edges, jax.random.key(seed))), same.apply)
