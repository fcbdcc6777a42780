"""Columns beside those of a split."""

from collections.abc import Mapping

import numpy as np

from jssl.data.core.arrays import Columns, resident
from jssl.types import Examples


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
