"""Oracles of the objectives on assignments to prototypes."""

import math

import numpy as np

from tests.oracles.oracle import Oracle


def softmax(x, temperature=1.0):
  e = [math.exp(v / temperature) for v in x]
  return [v / sum(e) for v in e]


def cross_entropy(target, x, temperature):
  p = softmax(x, temperature)
  return -sum(t * math.log(v) for t, v in zip(target, p, strict=True))


def sinkhorn(scores, epsilon=0.05, iterations=3):
  """The iteration of the paper, on the matrix of prototypes by examples that sums to 1."""
  b, p = scores.shape
  m = np.array([[math.exp(scores[i, j] / epsilon) for i in range(b)] for j in range(p)])
  m /= m.sum()
  for _ in range(iterations):
    for j in range(p):
      m[j] = m[j] / m[j].sum() / p
    for i in range(b):
      m[:, i] = m[:, i] / m[:, i].sum() / b
  return (m * b).T


def swav(sg, q, k, temperature=0.1, epsilon=0.05, iterations=3, queue=None, queue_valid=None, prototypes=None):
  scores = k
  if prototypes is not None:
    queue = np.array([[z @ c / np.linalg.norm(c) for c in prototypes] for z in queue])
  if queue is not None:
    kept = queue if queue_valid is None else queue[queue_valid]
    scores = np.concatenate([kept, k])
  codes = sg(sinkhorn(scores, epsilon, iterations)[-len(k) :])
  return np.array([cross_entropy(codes[i], q[i], temperature) for i in range(len(q))])


def dino(sg, q, k, centre=0.0, temperature=0.1, teacher_temperature=0.04):
  targets = sg(np.array([softmax(row - centre, teacher_temperature) for row in k]))
  return np.array([cross_entropy(targets[i], q[i], temperature) for i in range(len(q))])


def msn(sg, q, k, temperature=0.1, sharpening=0.25, entropy_weight=1.0, iterations=0):
  targets = []
  for row in k:
    p = [v ** (1 / sharpening) for v in softmax(row, temperature)]
    targets.append([v / sum(p) for v in p])
  targets = np.array(targets)
  if iterations:
    targets = sinkhorn(np.log(targets), 1.0, iterations)
  targets = sg(targets)
  predictions = [softmax(row, temperature) for row in q]
  mean = [sum(p[j] for p in predictions) / len(q) for j in range(q.shape[1])]
  regulariser = sum(v * math.log(v) for v in mean) + math.log(q.shape[1])
  return np.array([cross_entropy(targets[i], q[i], temperature) + entropy_weight * regulariser for i in range(len(q))])


def deep_cluster(sg, q, labels, temperature=0.1):
  loss, known = np.zeros(len(q)), [i for i in range(len(q)) if labels[i] >= 0]
  for i in known:
    loss[i] = -math.log(softmax(q[i], temperature)[labels[i]]) * len(q) / len(known)
  return loss


def cosines(rng, b=6, p=4):
  """Two [b p] tables of cosines."""
  return tuple(rng.uniform(-0.9, 0.9, size=(b, p)).astype(np.float32) for _ in range(2))


ORACLES = {
  'swav': Oracle(
    swav,
    lambda rng: [
      (cosines(rng), {}),
      (cosines(rng), dict(temperature=0.2, epsilon=0.3, iterations=5, queue=cosines(rng, 9)[0])),
      (cosines(rng), dict(queue=cosines(rng, 9)[0], queue_valid=np.arange(9) < 4)),
      (cosines(rng), dict(queue=cosines(rng, 9, 3)[0], prototypes=cosines(rng, 4, 3)[0])),
    ],
  ),
  'dino': Oracle(
    dino,
    lambda rng: [
      (cosines(rng), dict(centre=cosines(rng, 1)[0][0])),
      (cosines(rng), dict(temperature=0.5, teacher_temperature=0.07)),
    ],
  ),
  'msn': Oracle(
    msn,
    lambda rng: [(cosines(rng), {}), (cosines(rng), dict(iterations=3, entropy_weight=0.5, sharpening=0.5))],
  ),
  'deep_cluster': Oracle(
    deep_cluster,
    lambda rng: [
      ((cosines(rng)[0], np.array([0, 3, 1, 1, 2, 0])), {}),
      ((cosines(rng)[0], np.array([0, -1, 1, -1, 2, 0])), dict(temperature=0.3)),
    ],
    lambda rng: [
      ((np.zeros((6, 4), np.float32), np.full(6, -1)), {}),
      ((np.zeros((6, 4), np.float32), np.zeros(6, int)), {}),
      ((cosines(rng, 1)[0], np.array([2])), {}),
    ],
  ),
}
