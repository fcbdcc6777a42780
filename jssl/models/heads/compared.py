"""Classification of the relation between two representations."""

import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.projection import ProjectionMlp
from jssl.models.heads.shapes import width_of
from jssl.types import Array, Keys


class Compared(nnx.Module):
  """An MLP of two concatenated vectors, their absolute difference and their product: [u; v; |u - v|; u v].

  Args:
    on: width of each vector, or the module that computes it.
    widths: widths of the layers; the last is the number of classes.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Conneau et al. (InferSent), EMNLP 2017, arXiv:1705.02364, section 3.1 and Figure 1.
  """

  def __init__(self, on: int | nnx.Module, *, widths: tuple[int, ...] = (512, 3), dtype: str = 'float32', rngs: nnx.Rngs):
    self.mlp = ProjectionMlp(4 * width_of(on), widths=widths, norm='none', dtype=dtype, rngs=rngs)
    self.dim = widths[-1]

  def __call__(self, u: Array, v: Array, *, keys: Keys | None = None) -> Array:
    """[b d], [b d] -> [b classes]."""
    return self.mlp(jnp.concatenate([u, v, jnp.abs(u - v), u * v], -1))
