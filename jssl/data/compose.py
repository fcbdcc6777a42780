"""Data sets made of others: with columns or a split beside what they have."""

from collections.abc import Mapping

import jax
import numpy as np

from jssl.data.arrays import Columns, resident
from jssl.data.glyphs import glyphs
from jssl.data.images import mnist5k
from jssl.types import Data, Examples


class Beside:
  """A split with columns beside its own, made from the labels when first asked for."""

  def __init__(self, examples: Examples, make):
    self.examples, self.make, self.columns = examples, make, None

  def __len__(self) -> int:
    return len(self.examples)

  def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
    return self.decoded(2**40)[index]

  def decoded(self, limit: int) -> Columns | None:
    if self.columns is None:
      held = resident(self.examples, limit)
      self.columns = held and Columns({**held.columns, **self.make(held.columns['label'])})
    return self.columns


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

  ten = jax.ShapeDtypeStruct((10,), np.float32)
  return data._replace(
    splits={name: split(x, i) for i, (name, x) in enumerate(data.splits.items())},
    spec={**data.spec, 'shift': ten, 'total': ten},
  )


def mnist5k_glyphs(*, train: int | None = None) -> Data:
  """MNIST with a split `outside` that holds no digits: Armenian and Georgian letters.

  Args:
    train: as in `mnist5k`.

  Returns:
    Data as `mnist5k`.
  """
  data = mnist5k(train=train)
  images, labels = glyphs()
  return data._replace(splits={**data.splits, 'outside': Columns(dict(image=images, label=labels))})
