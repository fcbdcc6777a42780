"""Views of clips, and masks over their tubelets. All randomness of example i comes from keys[i]."""

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
