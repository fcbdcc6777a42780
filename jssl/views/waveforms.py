"""Views of waveforms."""

from jssl.ops.waveforms import standardize
from jssl.types import Array, Batch, Keys


def standardized_waves(keys: Keys, batch: Batch, *, names: tuple = (), lengths: str | None = None) -> tuple[Array, ...]:
  """The named columns of waveforms, each wave with zero mean and unit variance, one a view.

  Args:
    keys: not used.
    batch: with the columns.
    names: columns [b n].
    lengths: column [b] of the number of samples of each wave; None where there is no padding.
  """
  del keys
  return tuple(standardize(batch[name], None if lengths is None else batch[lengths]) for name in names)
