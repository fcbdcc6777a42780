"""Small graphs in dense blocks: a batch of them is one array, so that a convolution is two products of matrices."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Num

from jssl.types import Array


class Graph(NamedTuple):
  """A batch of graphs of n nodes each. A node without edges is padding to the others."""

  nodes: Array  # [b n f]
  adjacency: Array  # [b n n], weights of the edges


def normalized_adjacency(adjacency: Float[Array, 'b n n']) -> Float[Array, 'b n n']:
  """D^-1/2 (A + I) D^-1/2, where D is the diagonal of the row sums of A + I.

  Args:
    adjacency: [b n n], no weight below 0.

  Returns:
    [b n n] float32.

  Reference: Kipf, Welling, ICLR 2017, arXiv:1609.02907, Eq. 2.
  """
  a = adjacency.astype(jnp.float32) + jnp.eye(adjacency.shape[-1])
  scale = jax.lax.rsqrt(a.sum(-1))
  return scale[:, :, None] * a * scale[:, None, :]


def edge_softmax(scores: Float[Array, 'b h n n'], adjacency: Num[Array, 'b n n'] | Bool[Array, 'b n n']) -> Float[Array, 'b h n n']:
  """Softmax of the scores e_ij of a node i over itself and the nodes j that it has edges to, after a leaky ReLU of slope 0.2.

  Args:
    scores: [b h n n] for h heads.
    adjacency: [b n n]; 0 for no edge.

  Returns:
    [b h n n] float32, 0 where there is no edge.

  Reference: Velickovic, Cucurull, Casanova, Romero, Lio, Bengio, ICLR 2018, arXiv:1710.10903, Eq. 3.
  """
  scores = jax.nn.leaky_relu(scores.astype(jnp.float32), 0.2)
  near = (adjacency != 0) | jnp.eye(adjacency.shape[-1], dtype=bool)
  return jax.nn.softmax(scores, where=near[:, None])
