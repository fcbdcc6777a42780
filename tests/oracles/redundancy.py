"""Oracles of the objectives on batch statistics: every entry of every matrix is its own sum."""

import math

import jax
import numpy as np

from tests.oracles.contrastive import pair, unit
from tests.oracles.oracle import Oracle


def barlow_twins(sg, q, k, lam=5e-3, eps=1e-5):
  b, d = q.shape

  def standard(z):
    columns = []
    for j in range(d):
      mean = sum(z[:, j]) / b
      var = sum((x - mean) ** 2 for x in z[:, j]) / b
      columns.append([(x - mean) / math.sqrt(var + eps) for x in z[:, j]])
    return columns

  q, k = standard(q), standard(k)
  loss = 0.0
  for i in range(d):
    for j in range(d):
      c = sum(q[i][n] * k[j][n] for n in range(b)) / b
      loss += (1 - c) ** 2 if i == j else lam * c**2
  return loss


def variance(sg, z, gamma=1.0, eps=1e-4):
  b, d = z.shape
  total = 0.0
  for j in range(d):
    mean = sum(z[:, j]) / b
    var = sum((x - mean) ** 2 for x in z[:, j]) / (b - 1)
    total += max(0.0, gamma - math.sqrt(var + eps))
  return total / d


def covariance(sg, z):
  b, d = z.shape
  mean = [sum(z[:, j]) / b for j in range(d)]
  total = 0.0
  for i in range(d):
    for j in range(d):
      if i != j:
        total += (sum((z[n, i] - mean[i]) * (z[n, j] - mean[j]) for n in range(b)) / (b - 1)) ** 2
  return total / d


def vicreg(sg, q, k, invariance_weight=25.0, variance_weight=25.0, covariance_weight=1.0, gamma=1.0, eps=1e-4):
  b, d = q.shape
  invariance = sum((q[n, j] - k[n, j]) ** 2 for n in range(b) for j in range(d)) / (b * d)
  spread = (variance(sg, q, gamma, eps) + variance(sg, k, gamma, eps)) / 2
  redundancy = covariance(sg, q) + covariance(sg, k)
  return invariance_weight * invariance + variance_weight * spread + covariance_weight * redundancy


def w_mse(sg, q, k, size=None, permutations=None, eps=1e-4):
  b, d = q.shape
  size = b if size is None else size
  orders = [list(range(b))] if permutations is None else [list(p) for p in permutations]

  def whiten(z):
    mean = sum(z) / len(z)
    z = [row - mean for row in z]
    cov = sum(np.outer(row, row) for row in z) / (len(z) - 1)
    factor = np.linalg.cholesky((1 - eps) * cov + eps * np.trace(cov) / d * np.eye(d))
    inverse = np.linalg.inv(factor)
    return [inverse @ row for row in z]

  loss = np.zeros(b)
  for order in orders:
    for start in range(0, b, size):
      rows = order[start : start + size]
      for i, x, y in zip(rows, unit(whiten(q[rows])), unit(whiten(k[rows])), strict=True):
        loss[i] += (2 - 2 * (x @ y)) / len(orders)
  return loss


def tico(sg, q, k, covariance, beta=0.9, rho=8.0):
  q, k = unit(q), sg(unit(k))
  b, d = q.shape
  c = np.zeros((d, d))
  for i in range(d):
    for j in range(d):
      c[i, j] = beta * covariance[i, j] + (1 - beta) * sum(q[n, i] * q[n, j] for n in range(b)) / b
  c = sg(c)
  return np.array([1 - q[n] @ k[n] + rho * q[n] @ c @ q[n] for n in range(b)])


def sigreg(sg, z, key, directions=1024, points=17, limit=5.0, moments=False):
  b, d = z.shape
  t = np.linspace(-limit, limit, 2 * points - 1)
  total = 0.0
  for a in np.asarray(jax.random.normal(key, (d, directions)), np.float64).T:  # the same draw, all else in float64
    x = [row @ a / math.sqrt(a @ a) for row in z]
    if moments:
      mean = sum(x) / b
      total += mean**2 + (math.sqrt(sum((v - mean) ** 2 for v in x) / b) - 1) ** 2
      continue
    f = []
    for u in t:
      wave = sum(complex(math.cos(u * v), math.sin(u * v)) for v in x) / b
      f.append(abs(wave - math.exp(-u * u / 2)) ** 2 * math.exp(-u * u / 2))
    total += sum((f[i] + f[i + 1]) / 2 * (t[i + 1] - t[i]) for i in range(len(t) - 1))
  return b * total / directions


def moment(rng, d=5):
  z = unit(rng.normal(size=(30, d)))
  return (z.T @ z / 30).astype(np.float32)


ORACLES = {
  'barlow_twins': Oracle(barlow_twins, lambda rng: [(pair(rng), {}), (pair(rng, 9, 4, 3.0), dict(lam=0.2, eps=1e-3))]),
  'vicreg': Oracle(
    vicreg,
    lambda rng: [
      (pair(rng, scale=0.5), {}),
      (pair(rng), dict(invariance_weight=1.0, variance_weight=2.0, covariance_weight=3.0, gamma=1.5, eps=1e-2)),
    ],
  ),
  'variance': Oracle(variance, lambda rng: [(pair(rng, scale=0.5)[:1], {}), (pair(rng)[:1], dict(gamma=2.0, eps=0.1))]),
  'covariance': Oracle(covariance, lambda rng: [(pair(rng)[:1], {}), (pair(rng, 9, 3)[:1], {})]),
  'w_mse': Oracle(
    w_mse,
    lambda rng: [
      (pair(rng, 12, 3), {}),
      (pair(rng, 16, 3), dict(size=8, eps=0.0)),
      (pair(rng, 16, 3), dict(size=8, permutations=np.stack([rng.permutation(16) for _ in range(2)]))),
    ],
  ),
  'tico': Oracle(
    tico,
    lambda rng: [
      (pair(rng), dict(covariance=moment(rng))),
      (pair(rng), dict(covariance=np.zeros((5, 5), np.float32), beta=0.5, rho=20.0)),
    ],
  ),
  'sigreg': Oracle(
    sigreg,
    lambda rng: [
      (pair(rng)[:1], dict(key=jax.random.key(0), directions=7)),
      (pair(rng, 9, 4, 3.0)[:1], dict(key=jax.random.key(1), directions=5, points=5, limit=3.0)),
      (pair(rng)[:1], dict(key=jax.random.key(2), directions=7, moments=True)),
    ],
  ),
}
