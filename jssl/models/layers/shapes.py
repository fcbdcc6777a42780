"""Shapes of a network's input."""

from collections.abc import Sequence

import jax

from jssl.types import Array


def shape_of(on: Sequence[int] | jax.ShapeDtypeStruct) -> tuple[int, ...]:
  """The shape of one example, from a shape or an object with a shape."""
  return tuple(getattr(on, 'shape', on))


def image_shape(on: Sequence[int] | jax.ShapeDtypeStruct) -> tuple[int, int, int]:
  """The shape (h, w, c) of one image.

  Raises:
    ValueError: if there are not three axes.
  """
  shape = shape_of(on)
  if len(shape) != 3:
    raise ValueError(f'an image backbone stands on images of shape (h, w, c), and was given {shape}')
  return shape


def whole(keep: Array | None, name: str) -> None:
  """Raises an error for `keep` in a network that cannot drop tokens.

  Raises:
    ValueError: if `keep` is given.
  """
  if keep is not None:
    raise ValueError(f'{name} cannot encode a subset of its tokens: use `mask` to hide them, or a ViT for `keep`')
