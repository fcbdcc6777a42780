"""A convolutional network followed by a linear map to a short code."""

import math
from typing import Any

from flax import nnx

from jssl.models.vision.convnet import ConvNet
from jssl.types import Array, Features, Keys


class Coder(nnx.Module):
  """A `ConvNet` whose last map is flattened and mapped linearly to a code, which preserves positions and can have either sign.

  Args:
    on: (h, w, c) of one image, or its ShapeDtypeStruct.
    code: width of the code.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.
    **options: options of `ConvNet`.

  Attributes: `dim`, the width of the code.
  """

  def __init__(self, on, *, code: int, dtype: str = 'float32', rngs: nnx.Rngs, **options: Any):
    self.body = ConvNet(on, dtype=dtype, rngs=rngs, **options)
    self.linear, self.dim = nnx.Linear(math.prod(self.body.grid) * self.body.dim, code, dtype=dtype, rngs=rngs), code

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """[b h w c] -> tokens [b n d], the cells of the last map, and pooled [b code]."""
    tokens = self.body(x, mask=mask, keep=keep, keys=keys).tokens
    return Features(tokens, self.linear(tokens.reshape(len(tokens), -1)))
