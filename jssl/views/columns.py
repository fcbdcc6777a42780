"""Views that are columns of the batch as they stand."""

from jssl.types import Array, Batch, Keys


def columns(keys: Keys, batch: Batch, *, names: tuple = ()) -> tuple[Array, ...]:
  """The named columns, one a view: a query and its positive, an image and its caption."""
  del keys
  return tuple(batch[name] for name in names)
