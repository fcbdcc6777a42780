"""Small images of one shape with known factors, for disentanglement."""

import numpy as np

from jssl.data.core.arrays import arrays
from jssl.types import Data


def shapes(*, train: int = 2000, test: int = 1000, side: int = 16, seed: int = 0) -> Data:
  """A square, a disc or a cross of random size and position, light on dark; all four factors are independent.

  Args:
    train, test: number of images.
    side: side of an image in pixels.
    seed: seed of the factors.

  Returns:
    Data with columns image [side side 1] uint8, label [] int32, the shape, and factors [3] float32: half the side of the shape, 0.15 to 0.3,
    and its position along y and x, 0.3 to 0.7, in units of the image side.

  Reference: Matthey, Higgins, Hassabis, Lerchner, dSprites, 2017, for the idea.
  """

  def split(n, number):
    rng = np.random.default_rng([seed, number])
    label = rng.integers(0, 3, n).astype(np.int32)
    factors = np.stack([rng.uniform(0.15, 0.3, n), *rng.uniform(0.3, 0.7, (2, n))], 1)
    size, y, x = factors.T[:, :, None, None]
    at = (np.arange(4 * side) + 0.5) / (4 * side)
    down, across = np.abs(at[:, None] - y) / size, np.abs(at - x) / size
    far, near = np.maximum(down, across), np.minimum(down, across)
    inside = far < 0.9, np.hypot(down, across) < 1, (far < 1) & (near < 0.35)
    image = np.take_along_axis(np.stack(inside), label[None, :, None, None], 0)[0]
    image = image.reshape(n, side, 4, side, 4).mean((2, 4))[..., None]
    return dict(image=np.rint(255 * image).astype(np.uint8), label=label, factors=factors.astype(np.float32))

  info = dict(name='shapes', classes=('square', 'disc', 'cross'), licence='generated')
  return arrays(**split(train, 0), test=split(test, 1), inputs='image', info=info)
