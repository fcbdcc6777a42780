"""Images shifted by whole pixels, also in windows. All randomness of example i comes from keys[i]."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys, fold


def random_shift(keys: Keys, batch: Batch, *, column: str = 'observation', pad: int = 4, views: int = 1) -> tuple[Array, ...]:
  """Views in which each image is shifted by up to `pad` whole pixels in each direction, with replicated borders.

  Args:
    keys: [b] one key per example.
    batch: `column` is [b ... h w c]; every image of an example is shifted independently.
    pad: the maximal shift; both shifts are uniform in -pad .. pad.
    views: number of views.

  Returns:
    One [b ... h w c] per view.

  Reference: Kostrikov, Yarats, Fergus, ICLR 2021, arXiv:2004.13649, section 3 (pad 4 of 84 pixels).
  """
  x = batch[column]
  *_, h, w, c = x.shape

  def moved(key, images):
    flat = images.reshape(-1, h, w, c)
    wide = jnp.pad(flat, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode='edge')
    at = jax.random.randint(key, (len(flat), 2), 0, 2 * pad + 1)
    cut = lambda image, at: jax.lax.dynamic_slice(image, (at[0], at[1], 0), (h, w, c))
    return jax.vmap(cut)(wide, at).reshape(images.shape)

  return tuple(jax.vmap(moved)(fold(keys, i), x) for i in range(views))
