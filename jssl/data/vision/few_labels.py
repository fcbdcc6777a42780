"""Images of which only few have a label."""

from dataclasses import replace

import numpy as np

from jssl.data.core.compose import Beside
from jssl.data.vision.images import mnist5k
from jssl.types import Data


def mnist5k_few(*, shots: int = 10, train: int | None = None, seed: int = 0) -> Data:
  """MNIST with a column `few`: the label of `shots` training images a class, drawn at random, and -1 for all others.

  Args:
    shots: labelled images a class; classes with fewer are labelled whole.
    train: as in `mnist5k`.
    seed: of the draw.

  Returns:
    Data as `mnist5k`, with few [] int32 beside the label.

  Raises:
    ValueError: shots is not 1 or more.
  """
  if shots < 1:
    raise ValueError(f'mnist5k_few(shots={shots}): label 1 image a class or more')
  data = mnist5k(train=train)

  def few(labels):
    known = np.full(len(labels), -1, np.int32)
    order = np.random.default_rng(seed).permutation(len(labels))
    for y in np.unique(labels):
      known[order[labels[order] == y][:shots]] = y
    return dict(few=known)

  return data._replace(
    splits={name: Beside(split, few) for name, split in data.splits.items()},
    spec={**data.spec, 'few': replace(data.spec['label'], pad=-1)},
  )
