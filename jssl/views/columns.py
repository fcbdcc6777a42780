"""Views that are columns of the batch."""

import jax.numpy as jnp

from jssl.types import Array, Batch, Keys


def columns(keys: Keys, batch: Batch, *, names: tuple = (), lists: tuple = ()) -> tuple[Array, ...]:
  """The named columns, one per view, such as a query and its positive, or an image and its caption.

  Args:
    keys: unused.
    batch: contains the columns.
    names: columns [b ...].
    lists: columns [b c ...], each of which gives c further views, such as negatives.
  """
  del keys
  return (*(batch[name] for name in names), *(x for name in lists for x in jnp.unstack(batch[name], axis=1)))


def scaled(keys: Keys, batch: Batch, *, names: tuple = (), mean: float = 0.0, std: float = 1.0) -> tuple[Array, ...]:
  """The named uint8 columns as (x/255 - mean)/std, one per view, such as clips, or an image at several resolutions.

  Raises:
    ValueError: if a column has another type.
  """
  for name in names:
    if batch[name].dtype != jnp.uint8:
      raise ValueError(f'{name!r} is {batch[name].dtype}; expected uint8, which is divided by 255: convert it in the data')
  return tuple((x.astype(jnp.float32) / 255 - mean) / std for x in columns(keys, batch, names=names))
