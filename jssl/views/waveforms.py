"""Views of waveforms."""

from jssl.ops.waveforms import standardize
from jssl.types import Array, Batch, Keys


def standardized_waves(keys: Keys, batch: Batch, *, names: tuple = (), lengths: str | None = None) -> tuple[Array, ...]:
  """The named columns of waveforms, each standardised to zero mean and unit variance, one per view.

  Args:
    keys: unused.
    batch: contains the columns.
    names: columns [b n].
    lengths: column [b] of the number of samples of each wave; None without padding.
  """
  del keys
  return tuple(standardize(batch[name], None if lengths is None else batch[lengths]) for name in names)
