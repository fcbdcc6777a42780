"""Noise as diffusion adds it: a level and a draw for each example."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.ops.noise import cosine_schedule, inverted_schedule, linear_schedule, noised
from jssl.types import Array, Keys


class Noised(NamedTuple):
  """Examples seen through noise."""

  x: Array  # [b ...] sqrt(abar) x + sqrt(1 - abar) noise
  noise: Array  # [b ...] standard normal
  time: Array  # [b] the level's place among the levels, in (0, 1]; 0 is no noise


def cosine_noise(keys: Keys, x: Array, *, levels: int = 1000) -> Noised:
  """Noise of a level drawn uniformly from the cosine schedule.

  Args:
    keys: [b] one key an example.
    x: [b ...].
    levels: of noise.

  Returns:
    `Noised`.

  Reference: Nichol, Dhariwal 2021, arXiv:2102.09672, Eq. 17.
  """
  return _noise(keys, x, cosine_schedule(levels))


def inverted_noise(keys: Keys, x: Array, *, levels: int = 1000) -> Noised:
  """Noise of a level drawn uniformly from the inverted cosine schedule, most of whose levels are of medium noise.

  Args:
    keys: [b] one key an example.
    x: [b ...].
    levels: of noise.

  Returns:
    `Noised`.

  Reference: Hudson et al. (SODA), CVPR 2024, arXiv:2311.17901, section 3.
  """
  return _noise(keys, x, inverted_schedule(levels))


def linear_noise(keys: Keys, x: Array, *, levels: int = 1000, start: float = 1e-4, end: float = 0.02) -> Noised:
  """Noise of a level drawn uniformly from the linear schedule.

  Args:
    keys: [b] one key an example.
    x: [b ...].
    levels: of noise.
    start, end: of beta.

  Returns:
    `Noised`.

  Reference: Ho, Jain, Abbeel 2020, arXiv:2006.11239, section 4.
  """
  return _noise(keys, x, linear_schedule(levels, start, end))


def _noise(keys: Keys, x: Array, alpha_bar: Array) -> Noised:
  def draw(key, x):
    level, noise = jax.random.split(key)
    return jax.random.randint(level, (), 0, len(alpha_bar)), jax.random.normal(noise, x.shape)

  level, noise = jax.vmap(draw)(keys, x)
  return Noised(noised(x, noise, alpha_bar[level]), noise, (level + 1) / jnp.float32(len(alpha_bar)))
