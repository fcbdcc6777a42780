"""Patches with gaps between them."""

from typing import Any

import jax.numpy as jnp

from jssl.types import Array, Batch, Keys
from jssl.views.image import augment


def gapped_patches(keys: Keys, batch: Batch, *, patch: int, gap: int, column: str = 'image', **options: Any) -> tuple[Array]:
  """One view of each image, enlarged so that pixels between its patches can be omitted.

  Args:
    keys: [b] one key per example.
    batch: `column` is [b h w c].
    patch: side of a patch in pixels; must divide h and w.
    gap: pixels omitted between neighbouring patches.
    **options: options of `augment`.

  Returns:
    One view with the shape of the images.

  Reference: Wei, Gupta, Morgado 2024, arXiv:2407.15837, section 3 (patches of 16, gap 4).
  """
  h, w, c = batch[column].shape[-3:]
  rows, columns = h // patch, w // patch
  step = patch + gap
  (x,) = augment(keys, batch, column=column, views=1, size=(rows * step - gap, columns * step - gap), **options)
  x = jnp.pad(x, ((0, 0), (0, gap), (0, gap), (0, 0))).reshape(-1, rows, step, columns, step, c)
  return (x[:, :, :patch, :, :patch].reshape(-1, h, w, c),)
