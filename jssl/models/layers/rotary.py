"""Rotary position embeddings: queries and keys are rotated by angles proportional to their position."""

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jssl.types import Array


def angles(places: Array, dim: int, theta: float = 10_000.0, scaling: Mapping[str, Any] | None = None) -> Array:
  """p theta^(-2i/d), the rotation angle of the i-th pair of features of a token at position p.

  Args:
    places: [...], integer positions of the tokens.
    dim: d, the width of a head.
    theta: the longest wavelength is 2 pi times this.
    scaling: as in `stretch`, for longer sequences than in the original training; None for no scaling.

  Returns:
    [... d/2], float32.

  Reference: Su et al. (RoFormer), arXiv:2104.09864, Eq. 15.
  """
  wavelengths = theta ** (jnp.arange(0, dim, 2) / dim)
  return places[..., None] / (wavelengths if scaling is None else stretch(wavelengths, scaling))


def stretch(wavelengths: Array, scaling: Mapping[str, Any]) -> Array:
  """Scales wavelengths, so that a network can process longer texts than in its original training.

  'linear' multiplies all of them by `factor`. 'llama3' keeps those that fit more than `high_freq_factor` times into
  `original_max_position_embeddings`, multiplies those that fit less than `low_freq_factor` times, and interpolates the frequencies between.

  Args:
    wavelengths: wavelengths divided by 2 pi, in tokens.
    scaling: `type` and the numbers above, with the names of transformers.

  Raises:
    ValueError: for another type.

  Reference: Chen, Wong, Chen, Tian 2023, arXiv:2306.15595, section 2.3 ('linear'); 'llama3' is that of the official code of Llama 3.1
    (models/llama3/reference_impl/model.py, apply_scaling).
  """
  match scaling:
    case {'type': 'linear', 'factor': factor}:
      return wavelengths * factor
    case {'type': 'llama3', 'factor': factor, 'low_freq_factor': low, 'high_freq_factor': high, 'original_max_position_embeddings': length}:
      kept = jnp.clip((length / (2 * math.pi * wavelengths) - low) / (high - low), 0, 1)
      return wavelengths / (kept + (1 - kept) / factor)
  raise ValueError(f"unknown scaling of rotary positions {dict(scaling)}: expected the type 'linear' or 'llama3' and its numbers")


def turned(x: Array, angles: Array) -> Array:
  """Rotates each pair (x_i, x_(i + d/2)) of features, i < d/2, by an angle; features beyond 2 e are unchanged.

  Pairs are those of Llama's code in transformers, a permutation of the pairs (x_2i, x_(2i+1)) of the paper.

  Args:
    x: [b n h d].
    angles: [n e] or [b n e], 2 e <= d.

  Returns:
    [b n h d].

  Reference: Su et al. (RoFormer), arXiv:2104.09864, Eq. 34.
  """
  e = angles.shape[-1]
  cos, sin = (f(angles)[..., None, :].astype(x.dtype) for f in (jnp.cos, jnp.sin))
  one, two, rest = x[..., :e], x[..., e : 2 * e], x[..., 2 * e :]
  return jnp.concatenate([one * cos - two * sin, two * cos + one * sin, rest], -1)
