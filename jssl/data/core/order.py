"""Orders of examples that are functions of small integers alone, equal on every machine."""

import functools
from collections.abc import Callable

import numpy as np

LARGE = 2**24  # examples, above which orders are computed entry by entry
ROUNDS = 8


def orders(n: int, seed: int) -> Callable[[int, np.ndarray], np.ndarray]:
  """(epoch, positions [m]) -> the examples [m] at these positions in the order of that epoch. For large n, no order is held in memory."""
  if n > LARGE:
    return functools.partial(feistel, n, seed)
  whole = functools.lru_cache(2)(functools.partial(permutation, n, seed))
  return lambda epoch, places: whole(epoch)[places]


def feistel(n: int, seed: int, epoch: int, places: np.ndarray) -> np.ndarray:
  """Some entries of a permutation of range(n) drawn from (seed, epoch), without computing the others.

  A position is split into two halves of b bits, 4^b >= n, and each round maps (l, r) -> (r, l xor f(r)), where f mixes r with a key of the
  round. This permutes range(4^b). A result of n or more is mapped again until it is below n, which permutes range(n).

  Args:
    n: number of examples.
    seed, epoch: as in `permutation`.
    places: [m] int, 0 to n - 1.
  Returns:
    [m] int64.
  Raises:
    ValueError: if seed or epoch is out of range.

  Reference: Black, Rogaway, Ciphers with arbitrary finite domains, CT-RSA 2002, section 4 (cycle walking) and 5 (Feistel);
    Steele, Lea, Flood, OOPSLA 2014, doi:10.1145/2660193.2660195, Figure 16 (the mixing function).
  """
  half = max((int(n - 1).bit_length() + 1) // 2, 1)
  low, shift, keys = np.uint64(2**half - 1), np.uint64(half), _words(seed, epoch, ROUNDS)

  def sent(x: np.ndarray) -> np.ndarray:
    left, right = x >> shift, x & low
    for key in keys:
      z = right ^ key
      z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
      z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
      left, right = right, left ^ ((z ^ (z >> np.uint64(31))) & low)
    return left << shift | right

  found = sent(np.asarray(places, np.uint64))
  while len(out := np.flatnonzero(found >= n)):
    found[out] = sent(found[out])
  return found.astype(np.int64)


def permutation(n: int, seed: int, epoch: int = 0) -> np.ndarray:
  """A permutation of range(n) drawn from (seed, epoch).

  The argsort of n raw words of Philox with the key (seed, epoch). NumPy guarantees a stable raw stream of bit generators, but not of
  `Generator.permutation`; and one sort per epoch costs less than hashing each index.

  Args:
    n: number of examples.
    seed: 0 <= seed < 2^64.
    epoch: 0 <= epoch < 2^64; any second integer that identifies an independent draw.
  Returns:
    [n] int64.
  Raises:
    ValueError: if seed or epoch is out of range.

  Reference: Salmon, Moraes, Dror, Shaw, SC 2011, doi:10.1145/2063384.2063405 (Philox).
  """
  return np.argsort(_words(seed, epoch, n), kind='stable')


def _words(seed: int, epoch: int, n: int) -> np.ndarray:
  if not (0 <= seed < 2**64 and 0 <= epoch < 2**64):
    raise ValueError(f'got seed={seed}, epoch={epoch}: both must lie in [0, 2^64); pass non-negative integers')
  return np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(n)


def stratified(labels: np.ndarray, held_out: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Splits rows into two sets with the same class proportions, each in random order.

  The second set gets round(held_out n_c) of the n_c rows of class c.

  Args:
    labels: [n] int, the class of each row.
    held_out: fraction for the second set, 0..1.
    seed: seed of the draw.
  Returns:
    (rows kept, rows held out), int64; together they contain every row once.
  """
  kept, held = [], []
  for c in np.unique(labels):
    rows = np.flatnonzero(labels == c)
    rows = rows[permutation(len(rows), seed, int(c))]
    cut = round(held_out * len(rows))
    held.append(rows[:cut])
    kept.append(rows[cut:])
  # Shuffled, so that a contiguous part of a split is a fair sample of it. 2^32 is not a class.
  return tuple(rows[permutation(len(rows), seed, 2**32)] for rows in (np.concatenate(kept), np.concatenate(held)))
