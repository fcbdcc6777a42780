"""Learned temperatures and biases of similarities."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import width_of
from jssl.types import Array, Keys


class Scale(nnx.Module):
  """x exp(s) + bias for learned scalars: the inverse temperature of a similarity.

  exp(s) is clipped at `max`; at the limit, only gradients that decrease s are passed on, so it neither diverges nor gets stuck.

  | method | options | what its objective reads |
  |---|---|---|
  | CLIP | init=1/0.07, max=100 | `pairwise_info_nce`: scale='nets.NAME'; `info_nce`: temperature='nets.NAME.temperature' |
  | SigLIP | init=10, bias=-10 | `siglip`: t_prime='nets.NAME.log_scale', bias='nets.NAME.bias', both without a limit |

  Args:
    on: input width, or the module that computes the input; also the attribute `dim`.
    init: initial exp(s).
    max: upper limit of exp(s).
    bias: initial bias; None for no bias.
    rngs: unused.

  Attributes: `log_scale` = s and `bias`, and `temperature`.

  Reference: Radford et al. (CLIP), ICML 2021, arXiv:2103.00020, section 2.5; Zhai et al. (SigLIP), ICCV 2023,
    arXiv:2303.15343, Algorithm 1.
  """

  def __init__(
    self, on: int | nnx.Module, *, init: float = 1 / 0.07, max: float = 100.0, bias: float | None = None, rngs: nnx.Rngs | None = None
  ):
    if not 0 < init <= max:
      raise ValueError(f'a scale must start above 0 and at most at its cap {max}, and starts at {init}')
    self.log_scale = nnx.Param(jnp.array(math.log(init)))
    self.bias = None if bias is None else nnx.Param(jnp.array(float(bias)))
    self.dim, self.max = width_of(on), max

  def __call__(self, x: Array | float = 1.0, *, keys: Keys | None = None) -> Array:
    """[...] -> [...], float32; without input returns the scale itself."""
    x = jnp.asarray(x, jnp.float32) * jnp.exp(_capped(self.log_scale[...], math.log(self.max)))
    return x if self.bias is None else x + self.bias[...]

  @property
  def temperature(self) -> Array:
    """[] exp(-s), which stays above 1 / max."""
    return jnp.exp(-_capped(self.log_scale[...], math.log(self.max)))


@jax.custom_vjp
def _capped(x: Array, cap: float) -> Array:
  return jnp.minimum(x, cap)


_capped.defvjp(lambda x, cap: (jnp.minimum(x, cap), (x, cap)), lambda saved, g: (jnp.where((saved[0] < saved[1]) | (g > 0), g, 0), None))
