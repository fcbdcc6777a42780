"""Dropout with one key per example, stochastic depth, and masking."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Keys


def dropout(x: Array, keys: Keys | None, rate: float) -> Array:
  """Zeroes entries with probability `rate` and scales up the rest; each example uses its own key.

  Args:
    x: [b ...].
    keys: [b] typed keys, or None for evaluation, without dropout.
    rate: in [0, 1).

  Returns:
    [b ...], with the same mean as `x`.

  Reference: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 2014, section 4.
  """
  if keys is None or rate == 0:
    return x
  kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(keys)
  return jnp.where(kept, x / (1 - rate), 0).astype(x.dtype)


def drop_path(x: Array, keys: Keys | None, rate: float | Array) -> Array:
  """Zeroes whole examples of a residual branch with probability `rate` and scales up the rest (stochastic depth).

  Args:
    x: [b ...], the output of a residual branch.
    keys: [b] typed keys, or None for evaluation.
    rate: in [0, 1), a number or a scalar array: scanned blocks have separate rates.

  Returns:
    [b ...].

  Reference: Huang, Sun, Liu, Sedra, Weinberger, ECCV 2016, arXiv:1603.09382, Eq. 2; rescaled at training time.
  """
  if keys is None:
    return x
  kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate))(keys)
  return jnp.where(kept.reshape(-1, *[1] * (x.ndim - 1)), x / (1 - rate), 0).astype(x.dtype)


def hide(x: Array, mask: Array | None, grid: tuple[int, int]) -> Array:
  """Sets the masked cells of a grid to zero, the mean colour of a standardised image.

  Convolutions need complete inputs, so cells that a transformer would replace by a learned token are blanked at the input.

  Args:
    x: [b h w c].
    mask: [b n] bool, True = masked, over the cells of `grid` in raster order; None for no mask.
    grid: (rows, columns).

  Returns:
    [b h w c].
  """
  if mask is None:
    return x
  _, h, w, _ = x.shape
  mask = mask.reshape(-1, *grid)[:, jnp.arange(h) * grid[0] // h][:, :, jnp.arange(w) * grid[1] // w]
  return jnp.where(mask[..., None], 0, x)
