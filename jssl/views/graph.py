"""Graphs of a batch, unchanged and corrupted: the columns `nodes` [b n f] and `adjacency` [b n n]."""

from collections.abc import Sequence

import jax

from jssl.ops.graphs import Graph
from jssl.types import Batch, Keys, fold


def whole_graph(keys: Keys, batch: Batch) -> tuple[Graph]:
  """The unchanged graphs: one view."""
  del keys
  return (Graph(batch['nodes'], batch['adjacency']),)


def corrupted_graph(
  keys: Keys, batch: Batch, *, edges: Sequence[float] = (0.2, 0.4), features: Sequence[float] = (0.3, 0.4)
) -> tuple[Graph, ...]:
  """One view per entry of the options: removes edges, and masks features, the same ones at all nodes of a graph.

  Args:
    keys: [b].
    batch: contains nodes and adjacency.
    edges: for each view, the probability to remove an edge; directions are independent.
    features: for each view, the probability to mask a feature.

  Reference: Zhu, Xu, Yu, Liu, Wu, Wang 2020, arXiv:2006.04131, section 3.2, Eq. 3 to 5; 0.2 and 0.4, 0.3 and 0.4 are its probabilities for
    Cora. The paper has one graph, and thus one mask per step; here, each graph of the batch has its own.
  """

  def corrupt(key, nodes, adjacency, removed, masked):
    kept = jax.random.bernoulli(jax.random.fold_in(key, 0), 1 - removed, adjacency.shape)
    seen = jax.random.bernoulli(jax.random.fold_in(key, 1), 1 - masked, nodes.shape[-1:])
    return Graph(nodes * seen, adjacency * kept)

  one = jax.vmap(corrupt, (0, 0, 0, None, None))
  return tuple(one(fold(keys, i), batch['nodes'], batch['adjacency'], *p) for i, p in enumerate(zip(edges, features, strict=True)))
