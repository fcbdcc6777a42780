"""Digits with a split of letters, which are none."""

from jssl.data.core.arrays import Columns
from jssl.data.vision.glyphs import glyphs
from jssl.data.vision.images import mnist5k
from jssl.types import Data, Judged


def mnist5k_glyphs(*, train: int | None = None) -> Data:
  """MNIST with a split `outside` that holds no digits: Armenian and Georgian letters.

  Args:
    train: as in `mnist5k`.

  Returns:
    Data as `mnist5k`.
  """
  data = mnist5k(train=train)
  images, labels = glyphs()
  return data._replace(splits={**data.splits, 'outside': Columns(dict(image=images, label=labels))}, judged=Judged(halved=('outside',)))
