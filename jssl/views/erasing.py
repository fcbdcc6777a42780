"""Random erasing."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.ops.draws import between, inside, place, sides, uniform, wide
from jssl.types import Array, Keys, salted

_ATTEMPTS = 10  # boxes that are tried


class Erase(NamedTuple):
  """A box whose pixels are replaced: the share of the view's area, and height / width."""

  scale: tuple[float, float] = (0.02, 1 / 3)
  ratio: tuple[float, float] = (0.3, 1 / 0.3)
  p: float = 0.25
  mode: str = 'pixel'  # by normal noise, or 'zero'


def erased(keys: Keys, x: Array, options: Erase) -> Array:
  """Erases a box of each view, the first of ten that fits: area ~ U(scale) h w, log ratio ~ U(log ratio), sides rounded to whole pixels.

  Args:
    keys: [b] one key per example.
    x: [b h w c], standardised.
    options: which.

  Returns:
    [b h w c].

  Raises:
    ValueError: for an unknown mode.

  Reference: Zhong, Zheng, Kang, Li, Yang 2020, arXiv:1708.04896, Algorithm 1, where the ratio is uniform, the largest area 0.4 and p 0.5;
    timm 1.0, timm/data/random_erasing.py, and the official code of DeiT, which has these defaults.
  """
  if options.mode not in ('pixel', 'zero'):
    raise ValueError(f"erase: mode is {options.mode!r}; choose 'pixel' or 'zero'")
  height, width = x.shape[1:3]
  u = uniform(salted(keys, 'erase'), 2 * _ATTEMPTS + 3)
  area = height * width * between(u[:, :_ATTEMPTS], options.scale)
  h, w = sides(area, jnp.exp(between(u[:, _ATTEMPTS : 2 * _ATTEMPTS], tuple(map(math.log, options.ratio)))))
  fits = (h < height) & (w < width)
  first = jnp.argmax(fits, 1, keepdims=True)
  h, w = (jnp.take_along_axis(side, first, 1)[:, 0] for side in (h, w))
  hole = inside(jnp.arange(height)[:, None], place(u[:, -3], height - h), h) & inside(jnp.arange(width), place(u[:, -2], width - w), w)
  hole &= wide((u[:, -1] < options.p) & jnp.any(fits, 1), 3)
  new = 0.0
  if options.mode == 'pixel':
    new = jax.vmap(lambda key: jax.random.normal(key, x.shape[1:]))(salted(keys, 'erase', 'pixel'))
  return jnp.where(hole[..., None], new, x)
