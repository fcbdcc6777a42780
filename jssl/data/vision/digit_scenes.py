"""Scenes of several digits, with the class of each cell of a grid, for features of places."""

import numpy as np

from jssl.data.core.arrays import arrays, resident
from jssl.data.vision.images import mnist5k
from jssl.types import Data

SIDE, DIGIT = 16, 14  # of a quarter of a scene, and of a digit
INK = 0.04  # mean brightness of a cell, out of 1, below which it has no class


def digit_scenes(*, train: int = 2000, test: int = 500, grid: int = 4, filled: float = 0.75, seed: int = 0) -> Data:
  """Images of 32x32 with a digit of MNIST, 14x14, in each quarter or in some, at random within the quarter.

  Scenes for training and for testing have different digits.

  Args:
    train, test: number of scenes.
    grid: cells along each side, an even divisor of 32, such as the tokens of a network.
    filled: the probability that a quarter has a digit.
    seed: seed of digits and positions.

  Returns:
    Data with columns image [32 32 1] uint8, and cells [grid grid] int32: the digit in whose quarter a cell is, and -1 where it has hardly any
    ink.

  Raises:
    ValueError: if the cells do not divide the quarters.
  """
  if SIDE % (grid // 2) or grid % 2:
    raise ValueError(f'{grid} x {grid} cells do not divide quarters of {SIDE} x {SIDE}; give a grid of 2, 4, 8, 16 or 32')
  source = mnist5k()

  def split(name: str, n: int, number: int) -> dict[str, np.ndarray]:
    held, rng = resident(source.splits[name]).columns, np.random.default_rng([seed, number])
    small = held['image'].reshape(-1, DIGIT, 2, DIGIT, 2).mean((2, 4))
    chosen, there = rng.integers(0, len(small), (n, 2, 2)), rng.random((n, 2, 2)) < filled
    offset = rng.integers(0, SIDE - DIGIT + 1, (n, 2, 2, 2))
    image = np.zeros((n, 2, 2, SIDE, SIDE))
    for at in np.argwhere(there):
      i, (y, x) = tuple(at), offset[tuple(at)]
      image[i][y : y + DIGIT, x : x + DIGIT] = small[chosen[i]]
    image = image.transpose(0, 1, 3, 2, 4).reshape(n, 2 * SIDE, 2 * SIDE)
    cell = 2 * SIDE // grid
    ink = image.reshape(n, grid, cell, grid, cell).mean((2, 4)) / 255
    classes = held['label'][chosen].repeat(grid // 2, 1).repeat(grid // 2, 2)
    cells = np.where(ink > INK, classes, -1).astype(np.int32)
    return dict(image=np.rint(image[..., None]).astype(np.uint8), cells=cells)

  info = {name: x for name, x in source.info.items() if name != 'split'} | {'name': 'digit_scenes'}
  return arrays(**split('train', train, 0), test=split('test', test, 1), inputs='image', facts=dict(cells=dict(size=10, pad=-1)), info=info)
