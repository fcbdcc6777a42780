"""Oracles of objectives over the frames of speech, frame by frame."""

import math

import numpy as np

from tests.oracles.oracle import Oracle
from tests.oracles.shared import TOKENS, cos, log_sum_exp, normal, share, sizes

DISTRACTORS = np.random.default_rng(0).integers(0, 3, (4, 3, 5)).astype(np.int32)


def masked_contrast(sg, q, k, mask, distractors, codes=None, temperature=0.1):
  loss = np.zeros(mask.shape)
  for i, t in np.argwhere(mask):
    positive = cos(q[i, t], k[i, t]) / temperature
    others = [
      cos(q[i, t], k[i, s]) / temperature
      for s in distractors[i, t]
      if s != t and (codes is None or any(x != y for x, y in zip(codes[i, s], codes[i, t], strict=True)))
    ]
    loss[i, t] = log_sum_exp([positive, *others]) - positive
  return share(loss, mask)


def code_diversity(sg, logits, mask):
  _, _, g, v = logits.shape
  used = 0.0
  for book in range(g):
    mean = np.zeros(v)
    for i, t in np.argwhere(mask):
      x = logits[i, t, book]
      mean += np.exp(x - log_sum_exp(list(x))) / mask.sum()
    used += math.exp(-sum(p * math.log(p + 1e-7) for p in mean))
  return (g * v - used) / (g * v)


def feature_penalty(sg, x, mask=None):
  mask = np.ones(x.shape[:2], bool) if mask is None else mask
  loss = np.array([[sum(v * v for v in frame) / len(frame) for frame in example] for example in x])
  return share(loss, mask)


def hidden_units(sg, cosines, units, mask, temperature=0.1, masked_weight=1.0, valid=None):
  valid = np.ones(mask.shape, bool) if valid is None else valid
  loss = np.zeros(mask.shape)
  for i, t in np.argwhere(valid):
    x = cosines[i, t] / temperature
    loss[i, t] = log_sum_exp(list(x)) - x[units[i, t]]
  weighted = lambda w, which: w * share(loss, which) if w else 0.0  # no mean is taken of what has no weight
  return weighted(masked_weight, mask & valid) + weighted(1 - masked_weight, ~mask & valid)


def frames(rng):
  return normal(rng, 4, 3, 6), normal(rng, 4, 3, 6), TOKENS, DISTRACTORS


def units(rng):
  return normal(rng, 4, 3, 7, scale=0.3), rng.integers(0, 7, (4, 3)), TOKENS


REAL = np.array([[1, 1, 0]] * 4, bool)
ORACLES = {
  'masked_contrast': Oracle(
    masked_contrast,
    lambda rng: [(frames(rng), {}), (frames(rng), dict(codes=rng.integers(0, 2, (4, 3, 2)), temperature=0.3))],
    sizes(
      lambda rng: (frames(rng), dict(codes=np.zeros((4, 3, 2), np.int32))),
      lambda rng: ((*frames(rng)[:2], TOKENS & False, DISTRACTORS), {}),
    ),
  ),
  'code_diversity': Oracle(
    code_diversity,
    lambda rng: [((normal(rng, 4, 3, 2, 5, scale=3), TOKENS), {}), ((normal(rng, 4, 3, 1, 6, scale=3), TOKENS | True), {})],
    sizes(lambda rng: ((normal(rng, 4, 3, 2, 5), TOKENS), {}), lambda rng: ((normal(rng, 4, 3, 2, 5), TOKENS & False), {})),
  ),
  'feature_penalty': Oracle(
    feature_penalty,
    lambda rng: [((normal(rng, 4, 3, 5), REAL), {}), ((normal(rng, 4, 3, 5),), {})],
    sizes(lambda rng: ((normal(rng, 4, 3, 5), REAL & False), {}), lambda rng: ((normal(rng, 4, 3, 5),), {})),
  ),
  'hidden_units': Oracle(
    hidden_units,
    lambda rng: [(units(rng), {}), (units(rng), dict(masked_weight=0.7, temperature=0.5, valid=REAL))],
    sizes(lambda rng: (units(rng), {}), lambda rng: ((*units(rng)[:2], TOKENS & False), {})),
  ),
}  # fmt: skip
