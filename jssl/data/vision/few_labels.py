"""Images of which only few have a label."""

from jssl.data.core.operators import few
from jssl.data.vision.images import mnist5k
from jssl.types import Data


def mnist5k_few(*, shots: int = 10, train: int | None = None, seed: int = 0) -> Data:
  """MNIST with a column `few`, as in `operators.few`.

  Args:
    shots, seed: as there.
    train: as in `mnist5k`.
  """
  return few(of=mnist5k(train=train), shots=shots, seed=seed)
