"""Mazes with their solutions, as token sequences."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from jssl.data.core.arrays import arrays
from jssl.types import Data

MASK, END, WAYS = 1, 2, 3  # ids; 0 is padding, which no sequence has; a cell with the open sides `ways` has id WAYS + ways
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # bit i of `ways`: up, right, down, left


@functools.lru_cache(maxsize=2)
def mazes(*, side: int = 4, train: int = 4096, test: int = 512, seed: int = 0) -> Data:
  """Depth-first mazes: the open sides of each cell, start, goal, and the only path between them.

  A sequence is the s^2 cells row by row, the start, the goal, and the cells of the path between them, followed by END up to a fixed length: the
  length of the path has to be predicted too.

  Args:
    side: s, in cells.
    train: number of training mazes.
    test: number of test mazes; none of them, with start and goal, is in train.
    seed: seed of all randomness.

  Returns:
    Data with ids [2 s^2 + 3] int32, a vocabulary of s^2 + 19, and `start` at the path's first token.

  Reference: Nolte et al. 2024, arXiv:2412.05117, section 4.1 (mazes by depth-first search).
  """
  random = np.random.RandomState(seed)
  described = dict(name='mazes', description='Mazes made by depth-first search, and the paths through them.')
  return drawn(lambda: _solved(random, side), side, train, test, described)


def drawn(draw: Callable[[], Sequence[int] | None], side: int, train: int, test: int, described: dict[str, str]) -> Data:
  """The requested number of distinct mazes of s x s cells; `draw` is repeated if it returns None.

  Raises:
    ValueError: if there are too few distinct mazes, or none is requested.
  """
  if side < 2 or min(train, test) < 1:
    raise ValueError(f'{train} and {test} mazes of {side} x {side} cells: expected at least one of each, of 2 x 2 cells or more')
  rows: dict[tuple[int, ...], None] = {}  # in the order in which they were drawn
  idle = 0  # draws since the last new one
  while len(rows) < train + test:
    before, row = len(rows), draw()
    if row:
      rows[tuple(row)] = None
    idle = 0 if len(rows) > before else idle + 1
    if idle == 20000:
      raise ValueError(
        f'{train + test} mazes of {side} x {side} cells are requested, but {idle} draws gave no new one after {len(rows)}: give fewer'
      )
  ids = np.array(list(rows), np.int32)
  facts = dict(size=WAYS + 16 + side**2, pad=0, mask=MASK, first=MASK + 1, start=side**2 + 2)
  info = dict(licence='none needed: generated', citation='', **described)
  return arrays(ids=ids[test:], test=dict(ids=ids[:test]), facts=dict(ids=facts), info=info)


def _solved(random: np.random.RandomState, side: int) -> list[int]:
  """A maze, start, goal, path and END, as ids."""
  ways, cell = [0] * side**2, lambda number: WAYS + 16 + number
  came = {first: None for first in [random.randint(side**2)]}
  stack = list(came)
  while stack:
    at = stack[-1]
    ahead = [(i, to) for i, to in _beside(at, side) if to not in came]
    if not ahead:
      stack.pop()
      continue
    i, to = ahead[random.randint(len(ahead))]
    came[to] = at
    ways[at] |= 1 << i
    ways[to] |= 1 << (i + 2) % 4
    stack.append(to)
  start, goal = random.choice(side**2, 2, replace=False)
  up, down = _ancestors(came, start), _ancestors(came, goal)
  meet = next(x for x in up if x in down)
  path = up[: up.index(meet) + 1] + down[: down.index(meet)][::-1]
  told = [*map(cell, (start, goal, *path))]
  return [*(WAYS + w for w in ways), *told, *[END] * (side**2 + 3 - len(told))]


def _beside(at: int, side: int) -> list[tuple[int, int]]:
  """(direction, cell) of the neighbours inside the grid."""
  y, x = divmod(at, side)
  ways = ((i, y + dy, x + dx) for i, (dy, dx) in enumerate(STEPS))
  return [(i, y * side + x) for i, y, x in ways if 0 <= y < side and 0 <= x < side]


def _ancestors(came: dict[int, int | None], at: int) -> list[int]:
  found = [at]
  while (at := came[at]) is not None:
    found.append(at)
  return found
