"""Oracles of the diffusion objectives, as loops."""

import math

import numpy as np

from tests.oracles.oracle import Oracle
from tests.oracles.shared import TOKENS, normal, sizes


def denoising_mse(sg, prediction, noise):
  return np.array([sum((x - y) ** 2) / len(x) for x, y in zip(*(z.reshape(len(z), -1) for z in (prediction, noise)), strict=True)])


def gaussian_kl(sg, mean, log_variance, summed=False):
  loss = np.zeros(len(mean))
  for i, (row, v) in enumerate(zip(mean, log_variance, strict=True)):
    loss[i] = -0.5 * sum(1 + s - m**2 - math.exp(s) for m, s in zip(row, v, strict=True))
  return loss * len(mean) if summed else loss


def categorical_kl(sg, logits):
  losses = []
  for rows in logits.reshape(len(logits), -1, logits.shape[-1]):
    total = 0.0
    for row in rows:
      weights = [math.exp(x - max(row)) for x in row]
      total += sum(w / sum(weights) * math.log(len(row) * w / sum(weights)) for w in weights)
    losses.append(total / len(rows))
  return np.array(losses)


def mmd(sg, z, prior):
  prior, d = sg(prior), z.shape[1]

  def kernel(x, y):
    return sum(math.exp(-(sum((u - v) ** 2) / d) / d) for u in x for v in y) / (len(x) * len(y))

  return kernel(prior, prior) + kernel(z, z) - 2 * kernel(prior, z)


def umd(sg, prediction, x, noise, mask, clean):
  """loss_fn of the official trainer, patch by patch: the two parts of the batch, each weighed by its size."""
  b, n, p = x.shape
  sums = dict.fromkeys(('clean', 'noise', 'hidden', 'all'), 0.0)
  each = {name: np.zeros(b) for name in sums}
  for i in range(b):
    for j in range(n):
      of_x = sum((prediction[i, j, k] - x[i, j, k]) ** 2 for k in range(p)) / p
      of_noise = sum((prediction[i, j, p + k] - noise[i, j, k]) ** 2 for k in range(p)) / p
      kinds = {'clean': of_x} if mask[i, j] else {}
      if not clean[i]:
        kinds = ({'hidden': of_x} if mask[i, j] else {'noise': of_noise}) | {'all': of_x}
      for kind, error in kinds.items():
        each[kind][i] += error
        sums[kind] += 1
  part = {kind: b * each[kind] / max(sums[kind], 1) for kind in sums}
  r = sum(clean) / b
  return r * part['clean'] + (1 - r) * 0.5 * (part['noise'] + part['hidden' if sums['hidden'] else 'all'])


def patches(rng):
  return tuple(normal(rng, 4, 3, n) for n in (10, 5, 5))


def half(mask=TOKENS, clean=(True, False, False, True)):
  return dict(mask=mask, clean=np.array(clean))


ORACLES = {
  'denoising_mse': Oracle(denoising_mse, lambda rng: [((normal(rng, 4, 3, 2), normal(rng, 4, 3, 2)), {})]),
  'categorical_kl': Oracle(categorical_kl, lambda rng: [((normal(rng, 4, 3, 5),), {}), ((normal(rng, 6, 2),), {})]),
  'gaussian_kl': Oracle(
    gaussian_kl,
    lambda rng: [((normal(rng, 4, 3), normal(rng, 4, 3)), options) for options in ({}, dict(summed=True))],
    lambda rng: [((np.zeros((4, 3), np.float32), np.full((4, 3), v, np.float32)), {}) for v in (0, -1e4, 1e-20, 50)],
  ),
  'mmd': Oracle(mmd, lambda rng: [((normal(rng, 6, 3, scale=2.0), normal(rng, 8, 3)), {})]),
  'umd': Oracle(
    umd,
    lambda rng: (
      [(patches(rng), half(clean=clean)) for clean in ((1, 0, 0, 1), (0, 1, 1, 1), (1,) * 4, (0,) * 4)]
      + [(patches(rng), half(TOKENS & False, (0,) * 4))]
    ),
    sizes(lambda rng: (patches(rng), half()), lambda rng: (patches(rng), half(TOKENS & False))),
  ),
}
