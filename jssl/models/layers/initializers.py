"""Initialisers of kernels."""

from collections.abc import Callable

from flax import nnx


def kernel_init(std: float) -> Callable:
  """N(0, std^2) (BEiT, DINO, I-JEPA at 0.02), or Xavier's uniform for 0 (MAE, MoCo v3).

  Official codes use a truncated normal distribution, but truncate at the absolute values +-2, a hundred standard deviations away.

  Reference: Glorot, Bengio, AISTATS 2010, Eq. 16.
  """
  return nnx.initializers.normal(std) if std else nnx.initializers.xavier_uniform()
