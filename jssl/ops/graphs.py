"""Small graphs in dense blocks: a batch of them is one array, so that a convolution is two products of matrices."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

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
