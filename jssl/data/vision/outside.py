"""Digits with an out-of-distribution split of letters."""

from jssl.data.core.arrays import Columns
from jssl.data.vision.glyphs import glyphs
from jssl.data.vision.images import mnist5k
from jssl.types import Data, Judged


def mnist5k_glyphs(*, train: int | None = None) -> Data:
  """MNIST with an out-of-distribution split `outside`: Armenian and Georgian letters.

  Args:
    train: as in `mnist5k`.

  Returns:
    Data as in `mnist5k`.
  """
  data = mnist5k(train=train)
  images, labels = glyphs()
  return data._replace(splits={**data.splits, 'outside': Columns(dict(image=images, label=labels))}, judged=Judged(halved=('outside',)))
