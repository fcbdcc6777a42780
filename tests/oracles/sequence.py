"""Oracles of objectives over tokens, codes and series, as loops."""

import numpy as np

from tests.oracles.oracle import Oracle
from tests.oracles.shared import TOKENS, cross_entropies, normal, share, sizes


def token_cross_entropy(sg, logits, tokens, mask=None):
  mask = np.ones(tokens.shape, bool) if mask is None else mask
  return share(cross_entropies(logits, np.where(mask, tokens, 0)), mask)


def replaced_token_detection(sg, logits, replaced, mask=None):
  mask = np.ones(replaced.shape, bool) if mask is None else mask
  p = 1 / (1 + np.exp(-logits))
  return share(np.where(replaced, -np.log(p), -np.log(1 - p)), mask)


def codebook_cross_entropy(sg, logits, codes, mask, weights=None, masked_weight=0.9, valid=None):
  b, n, books, _ = logits.shape
  valid = np.ones((b, n), bool) if valid is None else valid
  loss = np.zeros((b, n))
  for x in range(books):
    g = 1 / books if weights is None else weights[x]
    loss += g * cross_entropies(logits[:, :, x], np.where(valid, codes[:, :, x], 0))
  return masked_weight * share(loss, mask & valid) + (1 - masked_weight) * share(loss, ~mask & valid)


def masked_value_mse(sg, prediction, target, mask):
  return share((prediction - sg(target)) ** 2, mask)


def sentences(rng, mask=TOKENS):
  tokens = rng.integers(0, 7, size=(4, 3))
  return (normal(rng, 4, 3, 7), np.where(mask, tokens, -100), mask)


def audio(rng):
  return normal(rng, 4, 3, 2, 6), rng.integers(0, 6, size=(4, 3, 2)), TOKENS


def series(rng):
  return normal(rng, 4, 5, 3), normal(rng, 4, 5, 3), rng.random((4, 5, 3)) < 0.3


ORACLES = {
  'token_cross_entropy': Oracle(
    token_cross_entropy,
    lambda rng: [(sentences(rng), {}), (sentences(rng, np.ones((4, 3), bool))[:2], {})],
    sizes(lambda rng: (sentences(rng), {}), lambda rng: (sentences(rng, TOKENS & False), {})),
  ),
  'replaced_token_detection': Oracle(
    replaced_token_detection,
    lambda rng: [((normal(rng, 4, 3), ~TOKENS, TOKENS), {}), ((normal(rng, 4, 3), TOKENS), {})],
    sizes(lambda rng: ((normal(rng, 4, 3), TOKENS, TOKENS & False), {}), lambda rng: ((normal(rng, 4, 3), TOKENS), {})),
  ),
  'codebook_cross_entropy': Oracle(
    codebook_cross_entropy,
    lambda rng: [
      (audio(rng), {}),
      (
        audio(rng),
        dict(weights=np.float32([0.7, 0.3]), masked_weight=0.6, valid=np.array([[1, 1, 0]] * 4, bool)),
      ),
    ],
    sizes(lambda rng: (audio(rng), {}), lambda rng: ((*audio(rng)[:2], TOKENS | True), {})),
  ),
  'masked_value_mse': Oracle(
    masked_value_mse,
    lambda rng: [(series(rng), {})],
    sizes(lambda rng: (series(rng), {}), lambda rng: ((*series(rng)[:2], np.zeros((4, 5, 3), bool)), {})),
  ),
}
