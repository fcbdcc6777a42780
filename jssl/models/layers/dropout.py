"""Dropout with one key an example, stochastic depth, and mask tokens."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Keys


def dropout(x: Array, keys: Keys | None, rate: float) -> Array:
  """Zero entries with probability `rate` and scale up the rest; each example draws from its own key.

  Args:
    x: [b ...].
    keys: [b] typed keys, or None for evaluation, when nothing is dropped.
    rate: in [0, 1).

  Returns:
    [b ...], of the same mean as `x`.

  Reference: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 2014, section 4.
  """
  if keys is None or rate == 0:
    return x
  kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(keys)
  return jnp.where(kept, x / (1 - rate), 0).astype(x.dtype)


def drop_path(x: Array, keys: Keys | None, rate: float | Array) -> Array:
  """Zero whole examples of a residual branch with probability `rate` and scale up the rest (stochastic depth).

  Args:
    x: [b ...], what a branch adds to its residual stream.
    keys: [b] typed keys, or None for evaluation.
    rate: in [0, 1), a number or a scalar array: blocks that are scanned over have one rate each.

  Returns:
    [b ...].

  Reference: Huang, Sun, Liu, Sedra, Weinberger, ECCV 2016, arXiv:1603.09382, Eq. 2; rescaled at training time.
  """
  if keys is None:
    return x
  kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate))(keys)
  return jnp.where(kept.reshape(-1, *[1] * (x.ndim - 1)), x / (1 - rate), 0).astype(x.dtype)


def hide(x: Array, mask: Array | None, grid: tuple[int, int]) -> Array:
  """Paint the hidden cells of a grid with zeros, the mean colour of a standardised image.

  A convolution needs its neighbours to exist, so what a transformer replaces by a learned token is here blanked at
  the input.

  Args:
    x: [b h w c].
    mask: [b n] bool, True = hidden, over the cells of `grid` in raster order; None hides nothing.
    grid: (rows, columns).

  Returns:
    [b h w c].
  """
  if mask is None:
    return x
  _, h, w, _ = x.shape
  mask = mask.reshape(-1, *grid)[:, jnp.arange(h) * grid[0] // h][:, :, jnp.arange(w) * grid[1] // w]
  return jnp.where(mask[..., None], 0, x)
