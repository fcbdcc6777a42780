"""RandAugment on the device: operations of Pillow on levels from 0 to 255, drawn for each example."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.ops.draws import uniform, wide
from jssl.ops.resample import bilinear
from jssl.types import Array, Keys, salted

TABLES = ('autocontrast', 'equalize', 'invert', 'posterize', 'solarize', 'solarize_add')  # a new level for each level
ENHANCEMENTS = ('color', 'contrast', 'brightness', 'sharpness')  # towards an image without the quality, or away from it
MOVES = ('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y')
OPERATIONS = (*TABLES, *ENHANCEMENTS, *MOVES)
_LARGEST = 10.0  # magnitude


class RandAugment(NamedTuple):
  """Operations drawn with replacement, each with a magnitude of its own and applied with probability p."""

  number: int = 2
  magnitude: float = 9.0  # of 10
  std: float = 0.5  # of the magnitude, which is clipped to [0, 10]
  increasing: bool = True  # a larger magnitude is a stronger change; otherwise a level, as in the first codes
  p: float = 0.5


def drawn_operations(keys: Keys, x: Array, options: RandAugment, fill: Array | float) -> Array:
  """Applies RandAugment to images in [0, 1], which are rounded to the 256 levels of Pillow between the operations.

  An example costs the same whatever it draws: for each of `number`, one histogram, one table of levels, one 3x3 mean and one bilinear look-up.

  Args:
    keys: [b] one key per example.
    x: [b h w c], of one or three channels.
    options: which.
    fill: what moves bring in from outside of the image, in [0, 1]; a number, or one per channel.

  Returns:
    [b h w c] in [0, 1].

  Raises:
    ValueError: for a number below 1, a magnitude outside [0, 10] or a negative deviation.

  Reference: Cubuk, Zoph, Shlens, Le 2020, arXiv:1909.13719, Figure 2; the set of operations, their ranges and the noise of the magnitude are
    those of timm 1.0, timm/data/auto_augment.py, 'rand-m9-mstd0.5-inc1', which the official code of DeiT uses. timm looks up bicubically or
    bilinearly by chance.
  """
  number, magnitude, std, increasing, p = options
  if number < 1 or not 0 <= magnitude <= _LARGEST or std < 0:
    raise ValueError(f'randaugment: {options}; expected a number of at least 1, a magnitude in [0, 10] and std of at least 0')
  u = uniform(salted(keys, 'randaugment'), 3, number)
  noise = jax.vmap(lambda key: jax.random.normal(key, (number,)))(salted(keys, 'randaugment', 'magnitude'))
  chosen = jnp.where(u[:, 1] < p, jnp.floor(u[:, 0] * len(OPERATIONS)), -1)
  share = jnp.clip(magnitude + std * noise, 0, _LARGEST) / _LARGEST
  sign = jnp.where(u[:, 2] < 0.5, -1, 1)
  fill = jnp.round(255 * jnp.asarray(fill, jnp.float32))
  step = lambda i, levels: operation(levels, chosen[:, i], share[:, i], sign[:, i], increasing, fill)
  return jax.lax.fori_loop(0, number, step, jnp.round(255 * x)) / 255


def operation(x: Array, chosen: Array, share: Array, sign: Array, increasing: bool, fill: Array) -> Array:
  """Applies one operation to each image.

  Args:
    x: [b h w c] levels, whole numbers from 0 to 255.
    chosen: [b] index into OPERATIONS; -1 for none.
    share: [b] magnitude over the largest one.
    sign: [b] 1 or -1, the direction of operations that have two.
    increasing: as in `RandAugment`.
    fill: level of what lies outside of the image.

  Returns:
    [b h w c] levels.
  """
  one_of = lambda names: jnp.any(jnp.stack([chosen == OPERATIONS.index(name) for name in names]), 0)
  tables = _tables(x, chosen, share, increasing)
  flat = x.reshape(len(x), -1, x.shape[-1]).astype(jnp.int32)
  x = jnp.where(wide(one_of(TABLES), 4), jnp.take_along_axis(tables, flat, 1).reshape(x.shape).astype(jnp.float32), x)
  factor = jnp.maximum(0.1, 1 + 0.9 * sign * share) if increasing else 0.1 + 1.8 * share
  pole = _choose(chosen, dict(color=_luma(x), contrast=_mean(x), brightness=0, sharpness=_smooth(x)), x)
  x = jnp.clip(jnp.floor(pole + wide(jnp.where(one_of(ENHANCEMENTS), factor, 1), 4) * (x - pole)), 0, 255)
  return jnp.where(wide(one_of(MOVES), 4), _moved(x, chosen, share * sign, fill), x)


def _choose(chosen: Array, values: dict[str, Array | int], other: Array) -> Array:
  """The value of the operation that is chosen, or another one."""
  for name, value in values.items():
    other = jnp.where(wide(chosen == OPERATIONS.index(name), other.ndim), value, other)
  return other


def _tables(x: Array, chosen: Array, share: Array, increasing: bool) -> Array:
  """The new level of each level, [b 256 c], in whole numbers as Pillow computes them."""
  count = jax.vmap(jax.vmap(lambda levels: jnp.zeros(256, jnp.int32).at[levels].add(1), 1, 1))
  counts = count(x.reshape(len(x), -1, x.shape[-1]).astype(jnp.int32))
  level, share = jnp.arange(256)[None, :, None], wide(share, 3)
  found = counts > 0
  low, high = jnp.argmax(found, 1, keepdims=True), 255 - jnp.argmax(found[:, ::-1], 1, keepdims=True)
  stretched = (level - low) * 255 // jnp.maximum(high - low, 1)
  step = (jnp.sum(counts, 1, keepdims=True) - jnp.take_along_axis(counts, high, 1)) // 255
  equal = (step // 2 + jnp.cumsum(counts, 1) - counts) // jnp.maximum(step, 1)
  bits, threshold = jnp.floor(4 * share), jnp.floor(256 * share)
  bits, threshold = (4 - bits, 256 - threshold) if increasing else (bits, threshold)
  part = (2 ** (8 - bits)).astype(jnp.int32)
  tables = dict(
    autocontrast=jnp.where(high > low, stretched, level),
    equalize=jnp.where(step > 0, equal, level),
    invert=255 - level,
    posterize=level // part * part,
    solarize=jnp.where(level < threshold, level, 255 - level),
    solarize_add=jnp.where(level < 128, level + jnp.floor(110 * share).astype(jnp.int32), level),
  )
  return jnp.clip(_choose(chosen, tables, jnp.broadcast_to(level, counts.shape)), 0, 255)


def _luma(x: Array) -> Array:
  """Grey levels; one channel is grey already."""
  if x.shape[-1] == 1:
    return x
  return jnp.floor((19595 * x[..., :1] + 38470 * x[..., 1:2] + 7471 * x[..., 2:] + 32768) / 65536)


def _mean(x: Array) -> Array:
  """The mean grey level of each image; the sum is one of whole numbers, so that rounding does not depend on the order."""
  grey = _luma(x)[..., 0]
  return wide(jnp.floor(jnp.sum(grey.astype(jnp.int32), (1, 2)) / grey[0].size + 0.5), 4)


def _smooth(x: Array) -> Array:
  """The mean of each pixel, which counts five times, and its eight neighbours; the border stays."""
  around = jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), 'VALID')
  within = jnp.floor((around + 4 * x[:, 1:-1, 1:-1]) / 13 + 0.5)
  return x.at[:, 1:-1, 1:-1].set(within)


def _moved(x: Array, chosen: Array, amount: Array, fill: Array) -> Array:
  """Rotation about the centre, shear from the upper left corner, translation, in shares of the largest; bilinear."""
  h, w = x.shape[1:3]
  of = {name: wide(jnp.where(chosen == OPERATIONS.index(name), amount, 0), 3) for name in MOVES}
  angle = -jnp.radians(30 * of['rotate'])
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  rows, columns = jnp.arange(h)[:, None] + 0.5, jnp.arange(w) + 0.5
  z = cos * (columns - w / 2) + sin * (rows - h / 2) + w / 2 + 0.3 * of['shear_x'] * rows + 0.45 * w * of['translate_x']
  y = cos * (rows - h / 2) - sin * (columns - w / 2) + h / 2 + 0.3 * of['shear_y'] * columns + 0.45 * h * of['translate_y']
  inside = (y >= 0) & (y < h) & (z >= 0) & (z < w)
  found = bilinear(x, jnp.clip(y, 0.5, h - 0.5), jnp.clip(z, 0.5, w - 0.5))
  # Pillow cuts fractions off; a whole number that is computed a little below itself is meant.
  return jnp.where(inside[..., None], jnp.floor(found + 1e-3), fill)
