"""Look-ups that tell a number that is out of range, where JAX takes the nearest one, or counts from the end."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jssl.types import Array

Row = TypeVar('Row', bound=Array | np.ndarray | None)  # what comes in goes out


def look_up(table: Float[Array, ' v *d'], ids: Int[Array, ' *s']) -> Float[Array, '...']:
  """Rows of a table [v ...] by number, [...] -> [... ...]; NaN for a number that is not from 0 to v - 1."""
  return table.at[ids].get(mode='fill', fill_value=jnp.nan, wrap_negative_indices=False)


def pick(values: Float[Array, '*s c'], labels: Int[Array, ' *s']) -> Float[Array, ' *s']:
  """Of values [... c] those of the labels [...]; NaN for a label that is not from 0 to c - 1."""
  found = jnp.take_along_axis(values, labels[..., None], -1, mode='clip')[..., 0]
  return jnp.where((labels >= 0) & (labels < values.shape[-1]), found, jnp.nan)


def one_hot(labels: Int[Array, ' *s'], count: int) -> Float[Array, '*s {count}']:
  """[...] -> [... count]; NaN for a label that is not from 0 to count - 1."""
  return jnp.where(((labels >= 0) & (labels < count))[..., None], jax.nn.one_hot(labels, count), jnp.nan)


def one_a_row(x: Row, what: str) -> Row:
  """x as it is, [b]; None stays None.

  Args:
    x: labels, ids or scores, one a row.
    what: the name of the argument, for the error.

  Raises:
    ValueError: x has another shape. [b 1] would be compared with [1 b], all rows with all, and give another value without a word.
  """
  if x is not None and x.ndim != 1:
    raise ValueError(f'{what} have shape {list(x.shape)}; expected [b], one number per row: use {what}[:, 0], or the argmax of one-hot rows')
  return x
