"""Graph convolution over small graphs."""

import jax
from flax import nnx

from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.shapes import shape_of
from jssl.ops.graphs import Graph, normalized_adjacency
from jssl.types import Array, Features, Keys


class Gcn(nnx.Module):
  """Graph convolutional network: x <- ReLU(D^-1/2 (A + I) D^-1/2 x W + b), one layer per width. The first node is the pooled vector.

  Args:
    on: shape (n, f) of the nodes of one graph, or its ShapeDtypeStruct.
    widths: widths of the layers; the last is `dim`.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Kipf, Welling, ICLR 2017, arXiv:1609.02907, Eq. 2. Also has an activation after the last layer, as in the official code of GRACE.
  """

  def __init__(self, on, *, widths: tuple[int, ...] = (128, 128), dtype: str = 'float32', rngs: nnx.Rngs):
    on = shape_of(on)[-1]
    for i, width in enumerate(widths, 1):
      setattr(self, f'linear{i}', nnx.Linear(on, width, kernel_init=kernel_init(0.0), dtype=dtype, rngs=rngs))
      on = width
    self.dim, self.depth, self.dtype = on, len(widths), dtype

  def __call__(self, x: Graph, *, mask: Array | None = None, keys: Keys | None = None) -> Features:
    """Graphs of n nodes -> tokens [b n d], pooled [b d]."""
    if mask is not None:
      raise ValueError('a Gcn has no tokens to hide: corrupt its graphs in a view')
    spread, x = normalized_adjacency(x.adjacency).astype(self.dtype), x.nodes.astype(self.dtype)
    for i in range(1, self.depth + 1):
      x = jax.nn.relu(getattr(self, f'linear{i}')(spread @ x))
    return Features(x, x[:, 0])
