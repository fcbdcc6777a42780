"""Distances between tokens in classes, for what attention learns of them."""

import math

import numpy as np


def buckets(offsets: np.ndarray, count: int, distance: int, *, bidirectional: bool) -> np.ndarray:
  """Relative position buckets: one for each small offset, then logarithmically wider ones up to a maximum distance.

  Args:
    offsets: place of the key minus that of the query.
    count: number of buckets.
    distance: beyond which all offsets share the last bucket.
    bidirectional: half of the buckets are for keys after the query; otherwise these share the bucket of offset 0.

  Reference: Raffel et al., arXiv:1910.10683, section 2.1, and the official code, mesh_tensorflow.
  """
  after = 0
  if bidirectional:
    count //= 2
    after, offsets = (offsets > 0) * count, np.abs(offsets)
  else:
    offsets = np.maximum(-offsets, 0)
  exact = count // 2
  # In float32, as in the official code: rounding decides where the logarithm is a whole number.
  share = np.log(np.maximum(offsets, 1).astype(np.float32) / np.float32(exact)) / np.float32(math.log(distance / exact))
  shared = np.minimum(exact + (share * np.float32(count - exact)).astype(np.int32), count - 1)
  return after + np.where(offsets < exact, offsets, shared)
