"""The noise of diffusion: sqrt(abar) x + sqrt(1 - abar) noise, with abar falling from 1 to 0 over the levels."""

import jax.numpy as jnp
from jaxtyping import Float

from jssl.types import Array


def linear_schedule(steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> Float[Array, ' {steps}']:
  """abar of a linear schedule, [steps]: the products of 1 - beta, beta from `start` to `end` in equal steps.

  Reference: Ho, Jain, Abbeel 2020, arXiv:2006.11239, section 4.
  """
  return jnp.cumprod(1 - jnp.linspace(start, end, steps))


def cosine_schedule(steps: int = 1000, offset: float = 0.008, largest: float = 0.999) -> Float[Array, ' {steps}']:
  """abar of the cosine schedule, [steps]: cos^2 of a quarter turn, every beta at most `largest`.

  Reference: Nichol, Dhariwal 2021, arXiv:2102.09672, Eq. 17.
  """
  f = jnp.cos((jnp.arange(steps + 1) / steps + offset) / (1 + offset) * jnp.pi / 2) ** 2
  return jnp.cumprod(1 - jnp.minimum(1 - f[1:] / f[:-1], largest))


def inverted_schedule(steps: int = 1000, offset: float = 0.008, largest: float = 0.999) -> Float[Array, ' {steps}']:
  """abar of the inverted cosine schedule, [steps]: the inverse function of the cosine schedule, every beta at most `largest`.

  abar(t) = (2/pi) (1 + offset) arccos(sqrt(t)) - offset: the cosine schedule with time and abar exchanged. More levels are of medium noise, and
  fewer of hardly any signal or hardly any noise.

  Reference: Hudson et al. (SODA), CVPR 2024, arXiv:2311.17901, section 3.
  """
  f = jnp.maximum((1 + offset) * 2 / jnp.pi * jnp.arccos(jnp.sqrt(jnp.arange(steps + 1) / steps)) - offset, 0)
  ratio = f[1:] / jnp.where(f[:-1] > 0, f[:-1], 1)
  return jnp.cumprod(1 - jnp.minimum(1 - ratio, largest))


def noised(x: Float[Array, ' b *s'], noise: Float[Array, ' b *s'], alpha_bar: Float[Array, ' b']) -> Float[Array, ' b *s']:
  """sqrt(abar_i) x_i + sqrt(1 - abar_i) noise_i, for alpha_bar [b]."""
  alpha_bar = alpha_bar.reshape(-1, *[1] * (x.ndim - 1))
  return jnp.sqrt(alpha_bar) * x + jnp.sqrt(1 - alpha_bar) * noise
