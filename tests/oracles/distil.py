"""Oracles of the distillation objectives, as loops."""

import itertools
import math

import numpy as np

from tests.oracles.contrastive import pair, table, unit
from tests.oracles.oracle import Oracle
from tests.oracles.shared import cos, log_softmax, normal, pair_of_tokens, sizes


def kl_logits(sg, student, teacher, temperature=1.0):
  b = len(student)
  loss = np.zeros(b)
  for i in range(b):
    rows = student[i].reshape(-1, student.shape[-1]), teacher[i].reshape(-1, student.shape[-1])
    for s, t in zip(*rows, strict=True):
      s, t = log_softmax(s / temperature), sg(log_softmax(t / temperature))
      loss[i] += temperature**2 * sum(math.exp(u) * (u - v) for u, v in zip(t, s, strict=True)) / len(rows[0])
  return loss


def ressl(sg, q, k, negatives, temperature=0.1, teacher_temperature=0.04):
  loss = []
  for x, y in zip(q, k, strict=True):
    student = log_softmax([cos(x, n) / temperature for n in sg(negatives)])
    teacher = sg(log_softmax([cos(y, n) / teacher_temperature for n in negatives]))
    loss.append(-sum(math.exp(t) * s for t, s in zip(teacher, student, strict=True)))
  return np.array(loss)


def ranking_distillation(sg, query, candidates, scores, temperature=0.02):
  loss = []
  for i in range(len(query)):
    student = log_softmax([cos(query[i], x) / temperature for x in candidates[i]])
    loss.append(sum(math.exp(t) * (t - s) for t, s in zip(sg(log_softmax(scores[i])), student, strict=True)))
  return np.array(loss)


def token_alignment(sg, student, teacher, student_mask=None, teacher_mask=None):
  (b, n, d), m = student.shape, teacher.shape[1]
  masked = student_mask is not None or teacher_mask is not None or n > m
  student_mask = np.ones((b, n), bool) if student_mask is None else student_mask
  teacher_mask = np.ones((b, m), bool) if teacher_mask is None else teacher_mask
  total, matched = np.zeros(b), np.zeros(b)
  for i in range(b):
    cosine = sg(unit(student[i]) @ unit(teacher[i]).T)
    free = [(x, y) for x, y in itertools.product(range(n), range(m)) if student_mask[i, x] and teacher_mask[i, y]]
    while free:
      x, y = max(free, key=lambda at: cosine[at])
      e = student[i, x] - sg(teacher[i, y])
      total[i] += (e @ e) / d
      matched[i] += 1
      free = [(u, v) for u, v in free if u != x and v != y]
  return b * total / max(matched.sum(), 1) if masked else total / n


def masked_tokens(rng, n=5, m=5):
  args = normal(rng, 4, n, 6), normal(rng, 4, m, 6)
  lengths = lambda most: np.arange(most) < np.array([[most], [2], [1], [0]])
  return args, dict(student_mask=lengths(n), teacher_mask=lengths(m)[[0, 2, 1, 3]])


def wcord_global(sg, positive, negatives):
  return np.array([-(g - sum(row)) for g, row in zip(positive, negatives, strict=True)])


def wcord_scores(sg, scores):
  b = len(scores)
  return np.array([-(scores[i, i] - np.mean([scores[i, j] for j in range(b) if j != i])) for i in range(b)])


def wcord_local(sg, q, k, epsilon=0.05, iterations=20):
  cost = 1 - unit(q) @ sg(unit(k)).T
  b = len(q)
  plan = np.exp(-cost / epsilon)
  for _ in range(iterations):
    plan = plan / plan.sum(0, keepdims=True) / b
    plan = plan / plan.sum(1, keepdims=True) / b
  return (b * sg(plan) * cost).sum(1)


ORACLES = {
  'kl_logits': Oracle(kl_logits, lambda rng: [(pair(rng), dict(temperature=4.0)), (pair_of_tokens(rng), {}), (pair(rng, scale=5.0), {})]),
  'ressl': Oracle(
    ressl,
    lambda rng: [
      (pair(rng), dict(negatives=table(rng, 9))),
      (pair(rng), dict(negatives=table(rng, 4), temperature=0.5, teacher_temperature=0.2)),
    ],
  ),
  'ranking_distillation': Oracle(
    ranking_distillation,
    lambda rng: [
      ((normal(rng, 4, 5), normal(rng, 4, 3, 5), normal(rng, 4, 3)), dict(temperature=0.5)),
      ((normal(rng, 3, 5), normal(rng, 3, 2, 5), normal(rng, 3, 2, scale=3.0)), {}),
    ],
    sizes(lambda rng: ((normal(rng, 4, 5), normal(rng, 4, 3, 5), normal(rng, 4, 3)), {})),
  ),
  'token_alignment': Oracle(
    token_alignment,
    lambda rng: [
      (pair_of_tokens(rng), {}),
      (pair_of_tokens(rng, n=6), {}),
      masked_tokens(rng),
      masked_tokens(rng, m=3),
      masked_tokens(rng, n=3),
      (masked_tokens(rng)[0], dict(student_mask=masked_tokens(rng)[1]['student_mask'])),
      (masked_tokens(rng, m=3)[0], {}),
    ],
  ),  # fmt: skip
  'wcord_global': Oracle(
    wcord_global,
    lambda rng: [((normal(rng, 4), normal(rng, 4, 3)), {})],
    sizes(lambda rng: ((normal(rng, 4), normal(rng, 4, 0)), {})),
  ),
  'wcord_scores': Oracle(wcord_scores, lambda rng: [((normal(rng, 5, 5),), {})], sizes(lambda rng: ((normal(rng, 4, 4),), {}))),
  'wcord_local': Oracle(wcord_local, lambda rng: [(pair(rng), {}), (pair(rng), dict(epsilon=0.3, iterations=5))]),
}
