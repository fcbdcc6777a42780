"""Graph convolution over small graphs."""

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.activations import activation, prelu
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import normalization
from jssl.models.layers.shapes import shape_of
from jssl.ops.graphs import Graph, normalized_adjacency
from jssl.types import Array, Features, Keys


class Gcn(nnx.Module):
  """Graph convolutional network: x <- act(norm(D^-1/2 (A + I) D^-1/2 x W + b)), one layer per width. The first node is the pooled vector.

  Args:
    on: shape (n, f) of the nodes of one graph, or its ShapeDtypeStruct.
    widths: widths of the layers; the last is `dim`.
    norm: normalisation of each node by itself, 'layer' or 'none'.
    act: one of `ACTIVATIONS`, or 'prelu', with a learned slope for each layer.
    standardize: scale the weights of each output to mean 0 and variance 1, in all layers but the first.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: for another norm, whose statistics would include the padding of small graphs.

  Reference: Kipf, Welling, ICLR 2017, arXiv:1609.02907, Eq. 2. Also has an activation after the last layer, as in the official code of GRACE.
    Standardised weights: Qiao, Wang, Liu, Shen, Yuille 2019, arXiv:1903.10520, Eq. 2; as in the official code of BGRL, with no division by the
    fan-in.
  """

  def __init__(
    self,
    on,
    *,
    widths: tuple[int, ...] = (128, 128),
    norm: str = 'none',
    act: str = 'relu',
    standardize: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    if norm not in ('layer', 'none'):
      raise ValueError(f"norm is {norm!r}, and a Gcn normalises each node by itself; choose 'layer' or 'none'")
    on = shape_of(on)[-1]
    for i, width in enumerate(widths, 1):
      setattr(self, f'linear{i}', nnx.Linear(on, width, kernel_init=kernel_init(0.0), dtype=dtype, rngs=rngs))
      setattr(self, f'norm{i}', normalization(norm, width, dtype=dtype, rngs=rngs))
      if act == 'prelu':
        setattr(self, f'act{i}', prelu())
      on = width
    self.dim, self.depth, self.dtype = on, len(widths), dtype
    self.act, self.standardize = act, standardize

  def __call__(self, x: Graph, *, mask: Array | None = None, keys: Keys | None = None) -> Features:
    """Graphs of n nodes -> tokens [b n d], pooled [b d]."""
    if mask is not None:
      raise ValueError('a Gcn has no tokens to hide: corrupt its graphs in a view')
    spread, x = normalized_adjacency(x.adjacency).astype(self.dtype), x.nodes.astype(self.dtype)
    for i in range(1, self.depth + 1):
      linear, act = getattr(self, f'linear{i}'), getattr(self, f'act{i}') if self.act == 'prelu' else activation(self.act)
      x = standardized(linear, spread @ x) if self.standardize and i > 1 else linear(spread @ x)
      x = act(getattr(self, f'norm{i}')(x))
    return Features(x, x[:, 0])


def standardized(linear: nnx.Linear, x: Array) -> Array:
  """A linear map whose weights have mean 0 and variance 1 over the inputs of each output."""
  kernel = linear.kernel[...]
  kernel = kernel - jnp.mean(kernel, 0)
  kernel = kernel * jax.lax.rsqrt(jnp.sum(kernel * kernel, 0) / (len(kernel) - 1) + 1e-5)
  return x @ kernel.astype(x.dtype) + linear.bias[...].astype(x.dtype)
