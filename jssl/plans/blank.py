"""Placeholder data of any size, to plan a run on data that are not available.

jssl plan mae --config.data.name=jssl.plans.blank:images --config.data.size=224 --config.data.examples=1281167
"""

import numpy as np

from jssl.types import Column, Data


class Blank:
  """Examples of zeros."""

  def __init__(self, examples: int, spec: dict[str, Column]):
    self.examples, self.spec = examples, spec

  def __len__(self) -> int:
    return self.examples

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: np.zeros(column.shape, column.dtype) for name, column in self.spec.items()}


def _data(examples: int, spec: dict[str, Column], inputs: str) -> Data:
  return Data({'train': Blank(examples, spec), 'test': Blank(1, spec)}, spec, inputs, {})


def images(*, examples: int = 1_281_167, size: int = 224, channels: int = 3, classes: int = 1000) -> Data:
  """Columns image [size size channels] uint8 and label."""
  return _data(examples, dict(image=Column((size, size, channels), np.uint8), label=Column((), np.int32, size=classes)), 'image')


def texts(*, examples: int = 10_000_000, length: int = 128, vocabulary: int = 30522) -> Data:
  """Column ids [length], with the padding id 0 and the mask id 103."""
  return _data(examples, dict(ids=Column((length,), np.int32, size=vocabulary, pad=0, mask=103, first=999)), 'ids')


def captions(*, examples: int = 400_000_000, size: int = 224, length: int = 77, vocabulary: int = 49408) -> Data:
  """Columns image [size size 3] uint8 and ids [length]."""
  spec = dict(image=Column((size, size, 3), np.uint8), ids=Column((length,), np.int32, size=vocabulary, pad=0))
  return _data(examples, spec, 'image')
