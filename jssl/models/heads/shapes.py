"""Properties of the input network of a head."""

import math

from flax import nnx

from jssl.ops.patches import patch_sides


def width_of(on: int | nnx.Module) -> int:
  """The input width of a head.

  Raises:
    ValueError: if `on` is neither a width nor a module with one.
  """
  width = getattr(on, 'dim', on)
  if not isinstance(width, int):
    raise ValueError(f'a head stands on a width or on a module with a `.dim`, and was given {type(on).__name__}')
  return width


def patches_of(on: nnx.Module, name: str) -> tuple[tuple[int, ...], int]:
  """The patch grid of a backbone, and the number of values per patch.

  Raises:
    ValueError: if it has no patches.
  """
  if not getattr(on, 'patch', None):
    raise ValueError(f'{name} stands on a backbone with patches (a ViT), and was given {type(on).__name__}')
  return on.grid, math.prod(patch_sides(on.patch, len(on.grid))) * on.channels


def temperature_of(on: nnx.Module) -> float:
  """The temperature of a backbone's sine-cosine positions, so that its heads use the same positions."""
  return getattr(on, 'temperature', 10_000.0)
