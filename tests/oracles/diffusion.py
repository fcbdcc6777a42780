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


def umd(sg, clean, noised, x, noise, clean_mask, noised_mask, clean_weight=0.5):
  p = x.shape[-1]
  error = lambda a, b: ((a - b) ** 2).mean(-1)  # noqa: E731
  diffusion = share(error(noised[..., p:], noise), ~noised_mask) + share(error(noised[..., :p], x), noised_mask)
  return clean_weight * share(error(clean[..., :p], x), clean_mask) + (1 - clean_weight) * 0.5 * diffusion


def patches(rng):
  return tuple(normal(rng, 4, 3, n) for n in (10, 10, 5, 5))


MASKS = dict(clean_mask=TOKENS, noised_mask=np.roll(TOKENS, 1, 0))

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
    lambda rng: [(patches(rng), MASKS), (patches(rng), dict(MASKS, clean_weight=0.8))],
    sizes(lambda rng: (patches(rng), MASKS), lambda rng: (patches(rng), {name: m & False for name, m in MASKS.items()})),
  ),
}
