"""Rotary positions: queries and keys are turned by an angle that grows with their place."""

import jax.numpy as jnp

from jssl.types import Array


def angles(places: Array, dim: int, theta: float = 10_000.0) -> Array:
  """p theta^(-2i/d), the angle by which the i-th pair of features of a token at place p is turned.

  Args:
    places: [...] of the tokens, integers.
    dim: d, the width of a head.
    theta: 2 pi of it is the longest wavelength.

  Returns:
    [... d/2], float32.

  Reference: Su et al. (RoFormer), arXiv:2104.09864, Eq. 15.
  """
  return places[..., None] / theta ** (jnp.arange(0, dim, 2) / dim)


def turned(x: Array, angles: Array) -> Array:
  """Turns each pair (x_i, x_(i + d/2)) of features, i < d/2, by an angle; what the angles do not reach stays.

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
