"""Digits, shifts and their sums: three modalities of which any two tell the third."""

import numpy as np

from jssl.data.core.compose import Beside
from jssl.data.vision.images import mnist5k
from jssl.types import Column, Data


def shifted_digits(*, train: int | None = None, seed: int = 0) -> Data:
  """Digits of MNIST, a random shift beside each, and the sum of both modulo ten.

  Any two of digit, shift and sum are independent, and any two tell the third.

  Args:
    train: as in `mnist5k`.
    seed: of the shifts.

  Returns:
    Data with columns image [28 28 1], label [] (the digit), and shift and total [10], one-hot.
  """
  data = mnist5k(train=train)

  def split(examples, number):
    def make(labels):
      shift = np.random.default_rng([seed, number]).integers(0, 10, len(labels))
      one_hot = np.eye(10, dtype=np.float32)
      return dict(shift=one_hot[shift], total=one_hot[(labels + shift) % 10])

    return Beside(examples, make)

  ten = Column((10,), np.float32)
  return data._replace(
    splits={name: split(x, i) for i, (name, x) in enumerate(data.splits.items())},
    spec={**data.spec, 'shift': ten, 'total': ten},
  )
