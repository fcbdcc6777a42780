"""Orders that are a function of small integers alone, the same on every machine."""

import numpy as np


def permutation(n: int, seed: int, epoch: int = 0) -> np.ndarray:
  """A permutation of range(n) drawn from (seed, epoch).

  argsort of n raw words of Philox keyed by (seed, epoch). NumPy fixes the raw stream of a bit generator for good,
  which it does not promise for `Generator.permutation`; and one sort an epoch costs less than hashing index by index.

  Args:
    n: number of examples.
    seed: 0 <= seed < 2^64.
    epoch: 0 <= epoch < 2^64; any second integer that names an independent draw.
  Returns:
    [n] int64.
  Raises:
    ValueError: seed or epoch is out of range.

  Reference: Salmon, Moraes, Dror, Shaw, SC 2011, doi:10.1145/2063384.2063405 (Philox).
  """
  if not (0 <= seed < 2**64 and 0 <= epoch < 2**64):
    raise ValueError(f'got seed={seed}, epoch={epoch}: both must lie in [0, 2^64); pass non-negative integers')
  words = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(n)
  return np.argsort(words, kind='stable')


def stratified(labels: np.ndarray, held_out: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Two disjoint sets of rows that hold every class in the same proportion, each in random order.

  Class c, with n_c rows, gives round(held_out n_c) of them to the second set.

  Args:
    labels: [n] int, the class of each row.
    held_out: fraction for the second set, 0..1.
    seed: names the draw.
  Returns:
    (rows kept, rows held out), int64, together every row once.
  """
  kept, held = [], []
  for c in np.unique(labels):
    rows = np.flatnonzero(labels == c)
    rows = rows[permutation(len(rows), seed, int(c))]
    cut = round(held_out * len(rows))
    held.append(rows[:cut])
    kept.append(rows[cut:])
  # Mixed, so that a contiguous piece of a split is a fair sample of it. 2^32 is no class.
  return tuple(rows[permutation(len(rows), seed, 2**32)] for rows in (np.concatenate(kept), np.concatenate(held)))
