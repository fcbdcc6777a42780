"""Views of clips. All randomness of example i comes from keys[i]."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys, fold
from jssl.views.image import augment


def frames(keys: Keys, batch: Batch, *, column: str = 'clip', **options: Any) -> tuple[Array, Array]:
  """Two different frames of each clip, drawn uniformly, as two views.

  Args:
    keys: [b] one key per example.
    batch: `column` is [b t h w c] uint8, t at least 2.
    **options: options of `augment`, which augments frames independently.

  Returns:
    Two views, [b h w c] float32.
  """
  x = batch[column]
  order = jax.vmap(lambda key: jax.random.permutation(key, x.shape[1])[:2])(fold(keys, 0))
  pair = jnp.take_along_axis(x, order[:, :, None, None, None], 1)
  first, second = (augment(fold(keys, i + 1), {'image': pair[:, i]}, views=1, **options)[0] for i in range(2))
  return first, second


def whole_clip(
  keys: Keys,
  batch: Batch,
  *,
  column: str = 'clip',
  mean: float | Sequence[float] = 0.0,
  std: float | Sequence[float] = 1.0,
  **options: Any,
) -> tuple[Array]:
  """Each clip as one view, with all frames cropped and mirrored alike.

  Args:
    keys: [b] one key per example.
    batch: `column` is [b t h w c] uint8.
    mean, std: a number, or one for each channel, subtracted from pixels in [0, 1] and divided by.
    **options: options of `augment` that do not depend on colour, such as `crop`, `flip` and `size`.

  Returns:
    One view, [b t height width c] float32.
  """
  x = batch[column]
  b, t, _, _, c = x.shape
  (y,) = augment(keys, {'image': jnp.moveaxis(x, 1, 3).reshape(b, *x.shape[2:4], t * c)}, views=1, **options)
  y = jnp.moveaxis(y.reshape(*y.shape[:3], t, c), 3, 1)
  return ((y - jnp.asarray(mean)) / jnp.asarray(std),)
