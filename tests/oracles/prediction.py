"""Oracles of the objectives that predict a representation or rebuild an input, token by token."""

import math

import numpy as np

from tests.oracles.contrastive import pair
from tests.oracles.oracle import Oracle


def over_tokens(distance, q, k, mask):
  """Mean over tokens; with a mask, b times the example's sum over the number of masked tokens of the batch."""
  if q.ndim == 2:
    q, k = q[:, None], k[:, None]
  b, n = q.shape[:2]
  if mask is None:
    return np.array([sum(distance(q[i, j], k[i, j]) for j in range(n)) / n for i in range(b)])
  total = sum(1 for i in range(b) for j in range(n) if mask[i, j])
  return np.array([b * sum(distance(q[i, j], k[i, j]) for j in range(n) if mask[i, j]) / total for i in range(b)])


def mean_of(piece):
  return lambda x, y: sum(piece(u - v) for u, v in zip(x, y, strict=True)) / len(x)


def square(e):
  return e * e


def cosine(x, y):
  return x @ y / (math.sqrt(x @ x) * math.sqrt(y @ y))


def standard(x, eps, correction=0):
  mean = sum(x) / len(x)
  var = sum((v - mean) ** 2 for v in x) / (len(x) - correction)
  return np.array([(v - mean) / math.sqrt(var + eps) for v in x])


def targets(sg, k, normalize):
  return sg(np.apply_along_axis(standard, -1, k, 1e-5) if normalize else k)


def negative_cosine(sg, q, k, mask=None):
  return over_tokens(lambda x, y: -cosine(x, y), q, sg(k), mask)


def byol(sg, q, k, mask=None):
  def distance(x, y):
    e = x / math.sqrt(x @ x) - y / math.sqrt(y @ y)
    return e @ e

  return over_tokens(distance, q, sg(k), mask)


def smooth_l1(sg, q, k, beta=1.0, normalize=False, mask=None):
  def piece(e):
    return 0.5 * e * e / beta if abs(e) <= beta else abs(e) - 0.5 * beta

  return over_tokens(mean_of(piece), q, targets(sg, k, normalize), mask)


def latent_l2(sg, q, k, normalize=False, mask=None):
  return over_tokens(mean_of(square), q, targets(sg, k, normalize), mask)


def latent_l1(sg, q, k, normalize=False, mask=None):
  return over_tokens(mean_of(abs), q, targets(sg, k, normalize), mask)


def masked_mse(sg, prediction, target, mask, normalize=True, channels=1):
  if normalize:
    target = np.array(target)
    for c in range(channels):
      target[..., c::channels] = np.apply_along_axis(standard, -1, target[..., c::channels], 1e-6, 1)
  target = sg(target)
  return over_tokens(mean_of(square), prediction, target, mask)


def masked_l1(sg, prediction, target, mask):
  return over_tokens(mean_of(abs), prediction, sg(target), mask)


def scaled_cosine(sg, prediction, target, mask, gamma=3.0):
  return over_tokens(lambda x, y: (1 - cosine(x, y)) ** gamma, prediction, sg(target), mask)


MASK = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)


def tokens(rng, p=5):
  return tuple(x.reshape(4, 3, p) for x in pair(rng, 12, p))


def latent_cases(rng, **options):
  return [(pair(rng), {}), (tokens(rng), {}), (tokens(rng), dict(mask=MASK, **options))]


def latent_degenerate(rng):
  zeros = np.zeros((4, 3, 5), np.float32)
  x = tokens(rng)[0]
  return [
    ((zeros, zeros), dict(mask=MASK)),
    ((x, x), dict(mask=MASK)),
    ((x, zeros), dict(mask=np.zeros_like(MASK))),
    ((zeros[:1], x[:1]), {}),
  ]


def masked_degenerate(rng):
  return [((q, k, options.get('mask', MASK[: len(q)])), {}) for (q, k), options in latent_degenerate(rng)]


def masked_cases(rng):
  return [((*tokens(rng), MASK), {}), ((*tokens(rng), ~MASK), {})]


ORACLES = {
  'negative_cosine': Oracle(negative_cosine, latent_cases, latent_degenerate),
  'byol': Oracle(byol, latent_cases, latent_degenerate),
  'smooth_l1': Oracle(
    smooth_l1,
    lambda rng: latent_cases(rng, beta=0.3) + [(pair(rng), dict(beta=2.0, normalize=True))],
    latent_degenerate,
  ),
  'latent_l2': Oracle(latent_l2, lambda rng: latent_cases(rng, normalize=True), latent_degenerate),
  'latent_l1': Oracle(latent_l1, lambda rng: latent_cases(rng, normalize=True), latent_degenerate),
  'masked_mse': Oracle(
    masked_mse,
    lambda rng: masked_cases(rng) + [((*tokens(rng), MASK), dict(normalize=False)), ((*tokens(rng, 6), MASK), dict(channels=3))],
    masked_degenerate,
  ),
  'masked_l1': Oracle(masked_l1, masked_cases, masked_degenerate),
  'scaled_cosine': Oracle(
    scaled_cosine,
    lambda rng: masked_cases(rng) + [((*tokens(rng), MASK), dict(gamma=1.0))],
    masked_degenerate,
  ),
}
