"""Oracles of scores of triples, and of the objectives on them."""

import numpy as np

from tests.oracles.oracle import Oracle
from tests.oracles.shared import log_sigmoid, log_softmax, normal, sizes


def transe(sg, h, r, t, norm=1):
  powers = [[abs(x) ** norm for x in e] for e in h + r - t]
  return np.array([-(sum(e) ** (1 / norm)) for e in powers])


def distmult(sg, h, r, t):
  return np.array([x @ np.diag(w) @ y for x, w, y in zip(h, r, t, strict=True)])


def complexes(x):
  return x[..., : x.shape[-1] // 2] + 1j * x[..., x.shape[-1] // 2 :]


def complex_(sg, h, r, t):
  return np.array([sum(x * w * y.conj()).real for x, w, y in zip(*map(complexes, (h, r, t)), strict=True)])


def rotate(sg, h, r, t):
  turned = complexes(h) * np.exp(1j * r)
  return np.array([-sum(abs(e)) for e in turned - complexes(t)])


def bilinear(sg, h, r, t):
  return np.array([x @ w @ y for x, w, y in zip(h, r, t, strict=True)])


def triples(rng, *relation):
  return normal(rng, 4, 6), normal(rng, 4, *relation), normal(rng, 4, 6)


SCORES = {
  'transe': Oracle(transe, lambda rng: [(triples(rng, 6), {}), (triples(rng, 6), dict(norm=2))]),
  'distmult': Oracle(distmult, lambda rng: [(triples(rng, 6), {})]),
  'complex': Oracle(complex_, lambda rng: [(triples(rng, 6), {})]),
  'rotate': Oracle(rotate, lambda rng: [(triples(rng, 3), {})]),
  'bilinear': Oracle(bilinear, lambda rng: [(triples(rng, 6, 6), {})]),
}


def margin_ranking(sg, positive, negatives, margin=1.0):
  return np.array([sum(max(0, margin - p + n) for n in row) / len(row) for p, row in zip(positive, negatives, strict=True)])


def self_adversarial(sg, positive, negatives, weight=None, margin=9.0, adversarial_temperature=1.0):
  loss = []
  share = np.ones(len(positive)) if weight is None else weight * len(weight) / sum(weight)
  for p, row, part in zip(positive, negatives, share, strict=True):
    weights = sg(np.exp(log_softmax(adversarial_temperature * row)))
    false = sum(w * log_sigmoid(-n - margin) for w, n in zip(weights, row, strict=True))
    loss.append(-part * (log_sigmoid(margin + p) + false) / 2)
  return np.array(loss)


def scored(rng):
  return normal(rng, 4), normal(rng, 4, 3)


def square_norm(sg, x):
  return sum(v * v for v in x.ravel())


ORACLES = {
  'square_norm': Oracle(square_norm, lambda rng: [((normal(rng, 4, 3),), {})]),
  'margin_ranking': Oracle(
    margin_ranking,
    lambda rng: [(scored(rng), {}), (scored(rng), dict(margin=0.3))],
    sizes(lambda rng: (scored(rng), {})),
  ),
  'self_adversarial': Oracle(
    self_adversarial,
    lambda rng: [
      (scored(rng), {}),
      (scored(rng), dict(margin=0.5, adversarial_temperature=0.3)),
      (scored(rng), dict(weight=np.float32([0.2, 0.5, 0.1, 0.4]))),
    ],
    sizes(lambda rng: (scored(rng), {})),
  ),
}
