"""Buckets of relative positions, for learned attention biases."""

import math

import numpy as np


def distance_buckets(n: int, count: int, furthest: int = 128) -> np.ndarray:
  """The bucket of the distance between each two of n tokens: half of the buckets for preceding tokens, the other half for following ones.

  Half of each half are single distances from 0 on; the others are logarithmic, and the last one contains all distances from `furthest` on.

  Args:
    n: number of tokens.
    count: number of buckets, a multiple of 4.
    furthest: upper bound for the start of the last bucket.

  Returns:
    [n n] int, from a token (row) to another (column).

  Raises:
    ValueError: if the number of buckets is not divisible by 4.

  Reference: Raffel et al. (T5), JMLR 2020, arXiv:1910.10683, section 2.1, and the official code.
  """
  if count < 4 or count % 4:
    raise ValueError(f'{count} classes of distances: expected a multiple of 4')
  half, single = count // 2, count // 4
  ahead = np.arange(n) - np.arange(n)[:, None]
  far = np.log(np.maximum(np.abs(ahead), 1).astype(np.float32) / single) / math.log(furthest / single) * (half - single)
  far = np.minimum(single + far.astype(int), half - 1)
  return half * (ahead > 0) + np.where(np.abs(ahead) < single, np.abs(ahead), far)
