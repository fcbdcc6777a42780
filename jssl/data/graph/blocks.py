"""Random graphs with known structure; an example is a node with its neighbourhood."""

import numpy as np

from jssl.data.core.arrays import arrays
from jssl.types import Data


def blocks(
  *,
  nodes: int = 1000,
  classes: int = 5,
  inside: float = 0.04,
  outside: float = 0.005,
  features: int = 32,
  signal: float = 0.4,
  size: int = 32,
  held_out: float = 0.4,
  seed: int = 0,
) -> Data:
  """A stochastic block model whose nodes have noisy features; the label is the block.

  An example is a node with its neighbourhood of radius 2: the nodes of the subgraph in the order of a breadth-first search with random order of
  neighbours, truncated to `size`, and all edges among them. Apart from the truncation it has the receptive field of a network of two layers, so
  examples are independent of each other and of the size of the graph.

  Args:
    nodes: number of nodes of the graph.
    classes: number of blocks, of equal size.
    inside: probability of an edge within a block.
    outside: probability of an edge between blocks.
    features: f; the features of a node are those of its block, from N(0, signal^2), plus noise from N(0, 1).
    signal: see `features`.
    size: n, nodes per example.
    held_out: share of nodes in 'test'.
    seed: seed of graph and features.

  Returns:
    Data with node [f], its features; nodes [n f], features of the subgraph, the node itself first; adjacency [n n];
    and label [].

  Reference: Holland, Laskey, Leinhardt, Stochastic blockmodels: first steps, Social Networks 5(2), 1983,
  doi:10.1016/0378-8733(83)90021-7.
  """
  random = np.random.RandomState(seed)
  label = random.permutation(nodes) % classes
  same = label[:, None] == label
  edges = np.triu(random.random_sample((nodes, nodes)) < np.where(same, inside, outside), 1)
  edges |= edges.T
  x = (signal * random.standard_normal((classes, features)))[label] + random.standard_normal((nodes, features))
  x = x.astype(np.float32)
  around = [surroundings(edges, i, size, random) for i in range(nodes)]
  graphs, adjacency = np.zeros((nodes, size, features), np.float32), np.zeros((nodes, size, size), bool)
  for i, found in enumerate(around):
    graphs[i, : len(found)] = x[found]
    adjacency[i, : len(found), : len(found)] = edges[np.ix_(found, found)]
  return arrays(
    node=x, nodes=graphs, adjacency=adjacency, label=label, held_out=held_out, seed=seed,
    info=dict(name='blocks', classes=tuple(map(str, range(classes))), licence='made by NumPy: no licence needed'),
  )  # fmt: skip


def surroundings(edges: np.ndarray, node: int, size: int, random: np.random.RandomState, hops: int = 2) -> np.ndarray:
  """Up to `size` nodes within `hops` of a node: the node first, then in order of distance; ties in random order."""
  found = np.array([node])
  for _ in range(hops):
    near = np.flatnonzero(edges[found].any(0))
    found = np.concatenate([found, random.permutation(np.setdiff1d(near, found))])
  return found[:size]
