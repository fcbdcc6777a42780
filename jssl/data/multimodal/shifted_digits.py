"""Digits, shifts and their sums: three modalities, of which any two determine the third."""

import numpy as np

from jssl.data.core.operators import with_columns
from jssl.data.vision.images import mnist5k
from jssl.types import Column, Data


def shifted_digits(*, train: int | None = None, seed: int = 0) -> Data:
  """Digits of MNIST, a random shift for each, and the sum of both modulo ten.

  Any two of digit, shift and sum are independent, and any two determine the third.

  Args:
    train: as in `mnist5k`.
    seed: seed of the shifts.

  Returns:
    Data with columns image [28 28 1], label [] (the digit), and shift and total [10], one-hot.
  """

  def make(split, columns):
    labels = columns['label']
    shift = np.random.default_rng([seed, ('train', 'test').index(split)]).integers(0, 10, len(labels))
    one_hot = np.eye(10, dtype=np.float32)
    return dict(shift=one_hot[shift], total=one_hot[(labels + shift) % 10])

  return with_columns(mnist5k(train=train), make, dict.fromkeys(('shift', 'total'), Column((10,), np.float32)))
