"""Oracles of the objectives of word vectors, one window at a time."""

import numpy as np

from tests.oracles.oracle import Oracle
from tests.oracles.shared import TOKENS, log_sigmoid, normal, sizes


def sgns(sg, centre, context, negatives):
  pairs = zip(centre, context, negatives, strict=True)
  return np.array([-log_sigmoid(u @ v) - sum(log_sigmoid(-(n @ v)) for n in noise) for v, u, noise in pairs])


def cbow(sg, context, target, negatives, mask=None):
  mask = np.ones(context.shape[:2], bool) if mask is None else mask
  h = np.array([sum(v[m]) / max(m.sum(), 1) for v, m in zip(context, mask, strict=True)])
  return sgns(sg, h, target, negatives)


def position_weighted_cbow(sg, context, position, target, negatives, mask=None):
  weighted = np.array([[v * p for v, p in zip(words, position, strict=True)] for words in context])
  return cbow(sg, weighted, target, negatives, mask)


def hierarchical_softmax(sg, h, nodes, turns):
  loss = np.zeros(len(h))
  for i in range(len(h)):
    for u, s in zip(nodes[i], turns[i], strict=True):
      loss[i] -= log_sigmoid(s * (u @ h[i])) if s else 0
  return loss


def skips(rng):
  return normal(rng, 4, 5), normal(rng, 4, 5), normal(rng, 4, 3, 5)


def window(rng):
  return normal(rng, 4, 3, 5), normal(rng, 4, 5), normal(rng, 4, 2, 5)


def placed(rng):
  context, target, negatives = window(rng)
  return context, normal(rng, 3, 5), target, negatives


TURNS = np.array([[1, -1, -1], [-1, 0, 0], [1, 1, 0], [-1, 1, 1]])
SOME = np.array([[1, 0, 1], [1, 1, 1], [0, 1, 0], [1, 1, 0]], bool)

ORACLES = {
  'sgns': Oracle(sgns, lambda rng: [(skips(rng), {})], sizes(lambda rng: (skips(rng), {}))),
  'cbow': Oracle(
    cbow,
    lambda rng: [(window(rng), {}), (window(rng), dict(mask=SOME))],
    sizes(lambda rng: (window(rng), dict(mask=TOKENS)), lambda rng: (window(rng), {})),
  ),
  'position_weighted_cbow': Oracle(
    position_weighted_cbow,
    lambda rng: [(placed(rng), {}), (placed(rng), dict(mask=SOME))],
    sizes(lambda rng: (placed(rng), dict(mask=TOKENS))),
  ),
  'hierarchical_softmax': Oracle(
    hierarchical_softmax,
    lambda rng: [((normal(rng, 4, 5), normal(rng, 4, 3, 5)), dict(turns=TURNS))],
    sizes(lambda rng: ((normal(rng, 4, 5), normal(rng, 4, 3, 5)), dict(turns=TURNS))),
  ),
}
