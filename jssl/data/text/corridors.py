"""Mazes of corridors that leave one room, with the path to the end of one corridor, as token sequences."""

import functools
from itertools import pairwise

import numpy as np

from jssl.data.text.mazes import STEPS, WAYS, drawn
from jssl.types import Data


@functools.lru_cache(maxsize=2)
def corridors(*, side: int = 5, ways: int = 3, length: int = 4, train: int = 4096, test: int = 512, seed: int = 0) -> Data:
  """Only the first step is a decision, since there is a single continuation afterwards; the path must be planned from the start.

  A sequence is the s^2 cells row by row, as in `mazes`, the start, which is the room, the goal, which is the end of one corridor, and the cells
  of the path between them.

  Args:
    side: s, in cells.
    ways: number of corridors, at most 4.
    length: cells per corridor; corridors that do not fit on the grid are redrawn.
    train: number of training mazes.
    test: number of test mazes; none of them, with start and goal, is in train.
    seed: seed of all randomness.

  Returns:
    Data with ids [s^2 + length + 3] int32. info: start, the position of the path's first token; vocabulary, s^2 + 19.

  Raises:
    ValueError: if the corridors have more cells than the grid, or there are more than 4.

  Reference: Bachmann, Nagarajan, ICML 2024, arXiv:2403.06963, section 4 (path-star graphs), laid out on the grid of Nolte et al. 2024,
    arXiv:2412.05117.
  """
  if ways > 4 or 1 + ways * length > side**2:
    raise ValueError(f'{ways} corridors of {length} cells and a room do not fit on {side} x {side} cells: at most 4, and s^2 cells in all')
  random = np.random.default_rng(seed)
  draw = lambda: _told(arms, side) if (arms := _grown(random, side, ways, length)) else None
  described = dict(name='corridors', description='Mazes of corridors that leave one room, and the paths to their ends.')
  return drawn(draw, side, train, test, described)


def _grown(random: np.random.Generator, side: int, ways: int, length: int) -> list[list[tuple[int, int]]] | None:
  """Corridors as cells (row, column) from the room, grown in turns; None if one cannot grow further."""
  room = tuple(int(x) for x in random.integers(side, size=2))
  arms, taken = [[room] for _ in range(ways)], {room}
  for _ in range(length):
    for arm in arms:
      y, x = arm[-1]
      free = [(y + dy, x + dx) for dy, dx in STEPS if 0 <= y + dy < side and 0 <= x + dx < side and (y + dy, x + dx) not in taken]
      if not free:
        return None
      arm.append(free[random.integers(len(free))])
      taken.add(arm[-1])
  return arms


def _told(arms: list[list[tuple[int, int]]], side: int) -> list[int]:
  """Cells, start, goal and path as ids; the goal is the end of the first corridor."""
  opened = np.zeros((side, side), int)
  for a, b in (pair for arm in arms for pair in pairwise(arm)):
    i = STEPS.index((b[0] - a[0], b[1] - a[1]))
    opened[a] |= 1 << i
    opened[b] |= 1 << (i + 2) % 4
  cell = lambda place: WAYS + 16 + place[0] * side + place[1]
  return [*(WAYS + opened.ravel()), cell(arms[0][0]), cell(arms[0][-1]), *map(cell, arms[0])]
