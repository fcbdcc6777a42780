"""A Lipschitz-continuous critic of pairs."""

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import width_of
from jssl.models.layers.products import product
from jssl.types import Array, Keys


class Critic(nnx.Module):
  """An MLP that scores pairs of vectors and is 1-Lipschitz: every kernel is divided by its largest singular value.

  Both vectors are scaled to unit length first. The singular value is computed by a few rounds of power iteration, always initialised with the
  row sums; gradients do not flow through its vectors.

  Args:
    on: width of each vector, or the module that computes it.
    widths: widths of the hidden layers.
    rounds: rounds of power iteration.
    dtype: compute type of the products; singular values, biases and parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Miyato, Kataoka, Koyama, Yoshida, ICLR 2018, arXiv:1802.05957, Algorithm 1; Chen et al. (WCoRD), CVPR 2021,
    arXiv:2012.08674, section 3.1.
  """

  def __init__(self, on: int | nnx.Module, *, widths: tuple[int, ...] = (128,), rounds: int = 8, dtype: str = 'float32', rngs: nnx.Rngs):
    self.dtype = dtype
    width, self.rounds, self.depth, self.dim = 2 * width_of(on), rounds, len(widths) + 1, 1
    for i, out in enumerate((*widths, 1), 1):
      setattr(self, f'linear{i}', nnx.Linear(width, out, kernel_init=nnx.initializers.orthogonal(), rngs=rngs))
      width = out

  def __call__(self, x: Array, y: Array, *, keys: Keys | None = None) -> Array:
    """[b d], [b d] -> [b]."""
    unit = lambda x: x * jax.lax.rsqrt(jnp.sum(x * x, -1, keepdims=True) + 1e-12)
    z = jnp.concatenate([unit(x), unit(y)], -1)
    for i in range(1, self.depth + 1):
      layer = getattr(self, f'linear{i}')
      z = product(z.astype(self.dtype), layer.kernel[...] / spectral_norm(layer.kernel[...], self.rounds)) + layer.bias[...]
      z = jax.nn.relu(z) if i < self.depth else z
    return z[:, 0]


def spectral_norm(kernel: Array, rounds: int) -> Array:
  """The largest singular value, by power iteration."""
  unit = lambda x: x * jax.lax.rsqrt(jnp.sum(x * x) + 1e-12)
  u = unit(jnp.sum(kernel, 1) + 1e-3)
  for _ in range(rounds):
    v = unit(u @ kernel)
    u = unit(kernel @ v)
  u, v = jax.lax.stop_gradient((u, v))
  return jnp.maximum(u @ kernel @ v, 1e-6)
