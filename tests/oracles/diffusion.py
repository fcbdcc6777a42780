"""Oracles of the diffusion objectives, as loops."""

import math

import numpy as np

from tests.oracles.oracle import Oracle
from tests.oracles.shared import TOKENS, normal, share, sizes


def denoising_mse(sg, prediction, noise):
  return np.array(
    [sum((x - y) ** 2) / len(x) for x, y in zip(*(z.reshape(len(z), -1) for z in (prediction, noise)), strict=True)]
  )


def gaussian_kl(sg, mean, log_variance):
  loss = np.zeros(len(mean))
  for i, (row, v) in enumerate(zip(mean, log_variance, strict=True)):
    loss[i] = -0.5 * sum(1 + s - m**2 - math.exp(s) for m, s in zip(row, v, strict=True))
  return loss


def mmd(sg, z, prior):
  prior, d = sg(prior), z.shape[1]

  def kernel(x, y):
    return sum(math.exp(-(sum((u - v) ** 2) / d) / d) for u in x for v in y) / (len(x) * len(y))

  return kernel(prior, prior) + kernel(z, z) - 2 * kernel(prior, z)


def umd(sg, x_prediction, noise_prediction, x, noise, mask, clean, clean_weight=None):
  x_error, noise_error = ((x_prediction - x) ** 2).mean(-1), ((noise_prediction - noise) ** 2).mean(-1)
  r, noisy = clean.mean() if clean_weight is None else clean_weight, ~clean[:, None]
  diffusion = share(noise_error, ~mask & noisy) + share(x_error, mask & noisy)
  return r * share(x_error, mask & ~noisy) + (1 - r) * 0.5 * diffusion


def patches(rng):
  return tuple(normal(rng, 4, 3, 5) for _ in range(4))


CLEAN = np.array([0, 0, 1, 0], bool)

ORACLES = {
  'denoising_mse': Oracle(denoising_mse, lambda rng: [((normal(rng, 4, 3, 2), normal(rng, 4, 3, 2)), {})]),
  'gaussian_kl': Oracle(
    gaussian_kl,
    lambda rng: [((normal(rng, 4, 3), normal(rng, 4, 3)), {})],
    lambda rng: [((np.zeros((4, 3), np.float32), np.full((4, 3), v, np.float32)), {}) for v in (0, -1e4, 1e-20, 50)],
  ),
  'mmd': Oracle(mmd, lambda rng: [((normal(rng, 6, 3, scale=2.0), normal(rng, 8, 3)), {})]),
  'umd': Oracle(
    umd,
    lambda rng: [(patches(rng), dict(mask=TOKENS, clean=CLEAN, **r)) for r in ({}, dict(clean_weight=0.8))],
    sizes(
      lambda rng: (patches(rng), dict(mask=TOKENS, clean=CLEAN)),
      lambda rng: (patches(rng), dict(mask=TOKENS & False, clean=CLEAN | True)),
    ),
  ),
}
