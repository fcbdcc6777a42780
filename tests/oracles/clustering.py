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


def ibot(sg, q, k, mask, centre=0.0, temperature=0.1, teacher_temperature=0.04, iterations=0):
  """Patch by patch, as the loops over crops of the official codes; a view of an example without masked patches counts as 0."""
  q, k, mask = (x[:, None] if mask.ndim == 2 else x for x in (q, k, mask))
  places = list(zip(*np.nonzero(mask), strict=True))
  if iterations and places:
    targets = sg(sinkhorn(np.array([k[at] for at in places]), teacher_temperature, iterations))
  elif places:
    targets = sg(np.array([softmax(k[at] - centre, teacher_temperature) for at in places]))
  loss = np.zeros(len(q))
  for number, (i, v, n) in enumerate(places):
    loss[i] += cross_entropy(targets[number], q[i, v, n], temperature) / mask[i, v].sum() / mask.shape[1]
  return loss


def msn(sg, q, k, temperature=0.1, sharpening=0.25, entropy_weight=1.0, iterations=0):
  targets = []
  for row in k:
    p = [v ** (1 / sharpening) for v in softmax(row, temperature)]
    targets.append([v / sum(p) for v in p])
  targets = np.array(targets)
  if iterations:
    targets = sinkhorn(np.log(targets), 1.0, iterations)
  targets = sg(targets)
  anchors = q.reshape(len(q), -1, q.shape[-1])
  predictions = [softmax(row, temperature) for views in anchors for row in views]
  mean = [sum(p[j] for p in predictions) / len(predictions) for j in range(q.shape[-1])]
  regulariser = sum(v * math.log(v) for v in mean) + math.log(q.shape[-1])
  own = [np.mean([cross_entropy(target, row, temperature) for row in views]) for target, views in zip(targets, anchors, strict=True)]
  return np.array(own) + entropy_weight * regulariser


def deep_cluster(sg, q, labels, temperature=0.1):
  loss, known = np.zeros(len(q)), [i for i in range(len(q)) if labels[i] >= 0]
  for i in known:
    loss[i] = -math.log(softmax(q[i], temperature)[labels[i]]) * len(q) / len(known)
  return loss


def cosines(rng, b=6, p=4):
  """Two [b p] tables of cosines."""
  return tuple(rng.uniform(-0.9, 0.9, size=(b, p)).astype(np.float32) for _ in range(2))


def patches(rng, *shape):
  """Two tables of cosines of patches with prototypes."""
  return tuple(rng.uniform(-0.9, 0.9, size=shape).astype(np.float32) for _ in range(2))


PATCHES = np.arange(40).reshape(5, 2, 4) % 3 == 0  # of 5 examples of 2 views of 4 patches
PATCHES[1, 0] = False

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
  'ibot': Oracle(
    ibot,
    lambda rng: [
      ((*patches(rng, 5, 4, 6), PATCHES[:, 0]), dict(centre=cosines(rng, 1, 6)[0][0])),
      ((*patches(rng, 5, 2, 4, 6), PATCHES), dict(temperature=0.5, teacher_temperature=0.07)),
      ((*patches(rng, 5, 2, 4, 6), PATCHES), dict(teacher_temperature=0.2, iterations=3)),
    ],
    lambda rng: [
      ((*patches(rng, 3, 4, 6), np.zeros((3, 4), bool)), dict(centre=cosines(rng, 1, 6)[0][0])),
      ((*patches(rng, 3, 4, 6), np.zeros((3, 4), bool)), dict(iterations=3)),
      ((np.zeros((3, 4, 6), np.float32), np.zeros((3, 4, 6), np.float32), np.ones((3, 4), bool)), {}),
    ],
  ),
  'msn': Oracle(
    msn,
    lambda rng: [
      (cosines(rng), {}),
      (cosines(rng), dict(iterations=3, entropy_weight=0.5, sharpening=0.5)),
      ((patches(rng, 6, 3, 4)[0], cosines(rng)[0]), dict(iterations=2)),
    ],
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
