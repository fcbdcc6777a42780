"""What heads ask of the network that they stand on."""

import math

from flax import nnx

from jssl.ops.patches import patch_sides


def width_of(on: int | nnx.Module) -> int:
  """The width of what a head stands on.

  Raises:
    ValueError: neither a width nor a module with one.
  """
  width = getattr(on, 'dim', on)
  if not isinstance(width, int):
    raise ValueError(f'a head stands on a width or on a module with a `.dim`, and was given {type(on).__name__}')
  return width


def patches_of(on: nnx.Module, name: str) -> tuple[tuple[int, ...], int]:
  """The grid of a backbone's patches, and the numbers in a patch.

  Raises:
    ValueError: it has none.
  """
  if not getattr(on, 'patch', None):
    raise ValueError(f'{name} stands on a backbone with patches (a ViT), and was given {type(on).__name__}')
  return on.grid, math.prod(patch_sides(on.patch, len(on.grid))) * on.channels


def temperature_of(on: nnx.Module) -> float:
  """That of a backbone's sine-cosine positions, so that those of its heads agree with them."""
  return getattr(on, 'temperature', 10_000.0)
