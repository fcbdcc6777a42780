"""Shapes of a network's input."""

from collections.abc import Sequence

import jax

from jssl.types import Array


def shape_of(on: Sequence[int] | jax.ShapeDtypeStruct) -> tuple[int, ...]:
  """The shape of one example, from a shape or anything that has one."""
  return tuple(getattr(on, 'shape', on))


def image_shape(on: Sequence[int] | jax.ShapeDtypeStruct) -> tuple[int, int, int]:
  """The shape (h, w, c) of one image.

  Raises:
    ValueError: not three axes.
  """
  shape = shape_of(on)
  if len(shape) != 3:
    raise ValueError(f'an image backbone stands on images of shape (h, w, c), and was given {shape}')
  return shape


def whole(keep: Array | None, name: str) -> None:
  """Refuse `keep` for a network that cannot leave tokens out.

  Raises:
    ValueError: `keep` is given.
  """
  if keep is not None:
    raise ValueError(f'{name} cannot encode a subset of its tokens: use `mask` to hide them, or a ViT for `keep`')
