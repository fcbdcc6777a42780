"""Classification of the relation between two representations."""

import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.projection import ProjectionMlp
from jssl.models.heads.shapes import width_of
from jssl.types import Array, Keys

VECTORS = dict(u=lambda u, v: u, v=lambda u, v: v, distance=lambda u, v: jnp.abs(u - v), product=lambda u, v: u * v)


class Compared(nnx.Module):
  """An MLP of two vectors, their absolute difference and their product, or of some of these: [u; v; |u - v|; u v].

  Args:
    on: width of each vector, or the module that computes it.
    widths: widths of the layers; the last is the number of classes, and with one there is a linear map alone.
    of: the vectors that are concatenated, in this order, of `VECTORS`.
    act: activation of hidden layers, as in `ProjectionMlp`.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: for no or unknown vectors.

  Reference: Conneau et al. (InferSent), EMNLP 2017, arXiv:1705.02364, section 3.1 and Figure 1; without the product and the hidden layer:
    Reimers, Gurevych (SBERT), EMNLP 2019, arXiv:1908.10084, section 3 and Table 6.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    widths: tuple[int, ...] = (512, 3),
    of: tuple[str, ...] = tuple(VECTORS),
    act: str = 'relu',
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    if not of or {*of} - {*VECTORS}:
      raise ValueError(f'of={of}: expected some of {", ".join(VECTORS)}')
    self.mlp = ProjectionMlp(len(of) * width_of(on), widths=widths, norm='none', act=act, dtype=dtype, rngs=rngs)
    self.dim, self.of = widths[-1], tuple(of)

  def __call__(self, u: Array, v: Array, *, keys: Keys | None = None) -> Array:
    """[b d], [b d] -> [b classes]."""
    return self.mlp(jnp.concatenate([VECTORS[name](u, v) for name in self.of], -1))
