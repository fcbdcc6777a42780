"""Embedding of the noise level."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.types import Array


class TimeEmbedding(nnx.Module):
  """Sines and cosines of 1000 t, followed by linear, SiLU, linear.

  Args:
    dim: output width.
    frequencies: number of frequencies, from 1 down to 1/10000.
    dtype: compute type of the linear maps.
    rngs: random key streams, as in Flax NNX.

  Reference: Ho, Jain, Abbeel, NeurIPS 2020, arXiv:2006.11239, appendix B; Peebles, Xie, ICCV 2023, arXiv:2212.09748.
  """

  def __init__(self, dim: int, *, frequencies: int = 16, dtype: str = 'float32', rngs: nnx.Rngs):
    self.fc1 = nnx.Linear(2 * frequencies, dim, dtype=dtype, rngs=rngs)
    self.fc2 = nnx.Linear(dim, dim, dtype=dtype, rngs=rngs)
    self.frequencies = frequencies

  def __call__(self, time: Array) -> Array:
    """[b] in [0, 1] -> [b dim]."""
    omega = jnp.exp(-math.log(10000) * jnp.arange(self.frequencies) / self.frequencies)
    angle = 1000 * time[:, None] * omega
    return self.fc2(jax.nn.silu(self.fc1(jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], -1))))
