"""Distances between tokens in classes, for what attention learns of them."""

import math

import numpy as np


def distance_buckets(n: int, count: int, furthest: int = 128) -> np.ndarray:
  """The class of the distance from each of n tokens to each: half of the classes for those behind it, the other half for those ahead.

  Half of each half are single distances, 0 upwards; the rest grow with the logarithm of the distance, and the last of them takes in all
  distances from `furthest` on.

  Args:
    n: number of tokens.
    count: number of classes, a multiple of 4.
    furthest: where the last class begins at the latest.

  Returns:
    [n n] int, from a token (row) to another (column).

  Reference: Raffel et al. (T5), JMLR 2020, arXiv:1910.10683, section 2.1, and the official code.
  """
  half, single = count // 2, count // 4
  ahead = np.arange(n) - np.arange(n)[:, None]
  far = np.log(np.maximum(np.abs(ahead), 1).astype(np.float32) / single) / math.log(furthest / single) * (half - single)
  far = np.minimum(single + far.astype(int), half - 1)
  return half * (ahead > 0) + np.where(np.abs(ahead) < single, np.abs(ahead), far)
