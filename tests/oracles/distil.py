"""Oracles of the distillation objectives, as loops."""

import itertools
import math

import numpy as np

from tests.oracles.contrastive import pair, unit
from tests.oracles.oracle import Oracle
from tests.oracles.shared import log_softmax, normal, pair_of_tokens, sizes


def kl_logits(sg, student, teacher, temperature=1.0):
  b = len(student)
  loss = np.zeros(b)
  for i in range(b):
    rows = student[i].reshape(-1, student.shape[-1]), teacher[i].reshape(-1, student.shape[-1])
    for s, t in zip(*rows, strict=True):
      s, t = log_softmax(s / temperature), sg(log_softmax(t / temperature))
      loss[i] += temperature**2 * sum(math.exp(u) * (u - v) for u, v in zip(t, s, strict=True)) / len(rows[0])
  return loss


def token_alignment(sg, student, teacher):
  b, n, d = student.shape
  loss = np.zeros(b)
  for i in range(b):
    cosine = sg(unit(student[i]) @ unit(teacher[i]).T)
    free = list(itertools.product(range(n), range(n)))
    while free:
      x, y = max(free, key=lambda at: cosine[at])
      e = student[i, x] - sg(teacher[i, y])
      loss[i] += (e @ e) / (n * d)
      free = [(u, v) for u, v in free if u != x and v != y]
  return loss


def wcord_global(sg, positive, negatives):
  return np.array([-(g - sum(row)) for g, row in zip(positive, negatives, strict=True)])


def wcord_local(sg, q, k, epsilon=0.05, iterations=20):
  cost = 1 - unit(q) @ sg(unit(k)).T
  b = len(q)
  plan = np.exp(-cost / epsilon)
  for _ in range(iterations):
    plan = plan / plan.sum(0, keepdims=True) / b
    plan = plan / plan.sum(1, keepdims=True) / b
  return (b * sg(plan) * cost).sum(1)


ORACLES = {
  'kl_logits': Oracle(
    kl_logits, lambda rng: [(pair(rng), dict(temperature=4.0)), (pair_of_tokens(rng), {}), (pair(rng, scale=5.0), {})]
  ),
  'token_alignment': Oracle(token_alignment, lambda rng: [(pair_of_tokens(rng), {}), (pair_of_tokens(rng, n=6), {})]),
  'wcord_global': Oracle(
    wcord_global,
    lambda rng: [((normal(rng, 4), normal(rng, 4, 3)), {})],
    sizes(lambda rng: ((normal(rng, 4), normal(rng, 4, 0)), {})),
  ),
  'wcord_local': Oracle(wcord_local, lambda rng: [(pair(rng), {}), (pair(rng), dict(epsilon=0.3, iterations=5))]),
}
