"""Oracles of the objectives on nuisances and on the rank of a batch, as loops."""

import numpy as np

from tests.oracles.oracle import Oracle


def conditional_mmd(sg, q, one, zero, y, *, classes, scales=(0.5, 1.0, 2.0), diagonal=True):
  n = len(q)
  square = np.array([[np.sum((q[i] - q[j]) ** 2) for j in range(n)] for i in range(n)])
  m, total = sg(square.mean()), 0.0
  for c in range(classes):
    for a, b, sign in ((one, one, 1), (zero, zero, 1), (one, zero, -2)):
      above = below = 0.0
      for i in range(n):
        for j in range(n):
          if y[i] == y[j] == c and (diagonal or i != j):
            k = np.mean([np.exp(-square[i, j] / (2 * s * s * m)) for s in scales])
            above, below = above + a[i] * b[j] * k, below + a[i] * b[j]
      total += sign * above / below
  return total


def rank_penalty(sg, q, k, *, eps=None):
  del sg, eps
  total = 0.0
  for z in (q, k):
    c = sum(np.outer(row, row) / (row @ row) for row in z) / len(z)
    total -= sum(v * np.log(v) for v in np.linalg.eigvalsh(c) if v > 1e-12) / 2
  return total


def nuisances(rng, b=12):
  """Representations, weights that may be estimates, and labels of two classes."""
  z, y = np.arange(b) % 2, np.arange(b) // 2 % 2
  one = (z + 0.2 * rng.normal(size=b)).astype(np.float32)
  return (rng.normal(size=(b, 3)) + z[:, None]).astype(np.float32), one, 1 - one, y


def degenerate_nuisances(rng):
  q, one, zero, y = nuisances(rng)
  nobody = np.zeros_like(one)
  return [((x, a, b, y), dict(classes=2)) for x in (0 * q, 1 + 0 * q, 1e4 * q) for a, b in ((one, zero), (one, nobody), (nobody, nobody))]


def pair(rng, b, d):
  q = rng.normal(size=(b, d)).astype(np.float32)
  return q, q + rng.normal(size=(b, d)).astype(np.float32)


ORACLES = {
  'conditional_mmd': Oracle(
    conditional_mmd,
    lambda rng: [(nuisances(rng), dict(classes=2)), (nuisances(rng), dict(classes=2, diagonal=False))],
    degenerate_nuisances,
  ),
  'rank_penalty': Oracle(rank_penalty, lambda rng: [(pair(rng, 12, 4), {}), (pair(rng, 4, 9), {})]),
}
