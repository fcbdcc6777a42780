"""A multilayer perceptron on the flattened input."""

from collections.abc import Sequence

import jax
import numpy as np
from flax import nnx

from jssl.models.convnet import make_norm
from jssl.types import Array, Features, Keys


class Mlp(nnx.Module):
  """Linear layers, each with a norm and a ReLU; one token, the pooled features themselves."""

  def __init__(
    self, on: jax.ShapeDtypeStruct, *, widths: Sequence[int] = (512, 256), norm: str = 'batch', rngs: nnx.Rngs
  ):
    sizes = (int(np.prod(on.shape)), *widths)
    self.layers = nnx.List([nnx.Linear(i, o, rngs=rngs) for i, o in zip(sizes, widths, strict=False)])
    self.norms = nnx.List([make_norm(norm, width, rngs) for width in widths])
    self.dim = widths[-1]

  def __call__(
    self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None
  ) -> Features:
    del keys
    if mask is not None or keep is not None:
      raise ValueError('an mlp has no tokens to hide; take a backbone such as vit')
    x = x.reshape(len(x), -1)
    for layer, norm in zip(self.layers, self.norms, strict=True):
      x = jax.nn.relu(norm(layer(x)))
    return Features(x[:, None], x)
