"""Oracles of objectives with labels, one example at a time."""

import math

import numpy as np

from tests.oracles.contrastive import IDS, pair, unit
from tests.oracles.oracle import Oracle
from tests.oracles.shared import TOKENS, cos, cross_entropies, log_softmax, normal, share, sizes, softplus, views


def prototypes(z):
  return [sum(rows[1:]) / (len(rows) - 1) for rows in z]


def prototypical(sg, z):
  c = prototypes(z)
  return np.array([-log_softmax([-((z[i, 0] - p) @ (z[i, 0] - p)) for p in c])[i] for i in range(len(z))])


def angular_prototypical(sg, z, scale=10.0):
  c = prototypes(z)
  return np.array([-log_softmax([scale * cos(z[i, 0], p) - 5 for p in c])[i] for i in range(len(z))])


def ge2e(sg, z, scale=10.0):
  b, m, _ = z.shape
  loss = np.zeros(b)
  for i in range(b):
    for x in range(m):
      c = [sum(z[j]) / m for j in range(b)]
      c[i] = sum(z[i, y] for y in range(m) if y != x) / (m - 1)
      loss[i] -= log_softmax([scale * cos(z[i, x], p) - 5 for p in c])[i] / m
  return loss


def triplet(sg, q, k, margin=0.2, weights=None, hardest=1, hard=1.0, ids=None):
  q, k, b = unit(q), unit(k), len(q)
  ids = np.arange(b) if ids is None else ids
  distance = [[(q[i] - k[j]) @ (q[i] - k[j]) for j in range(b)] for i in range(b)]
  loss = np.zeros(b)
  for i in range(b):
    other = [j for j in range(b) if ids[j] != ids[i]]
    nearest = sorted(other, key=lambda j: distance[i][j])[:hardest]
    for j in other:
      w = hard * (j in nearest) / len(nearest) + (1 - hard) / len(other) if weights is None else weights[i, j]
      loss[i] += w * max(0.0, distance[i][i] - distance[i][j] + margin)
  return loss


def euclidean_triplet(sg, anchor, positive, negative, margin=1.0):
  length = lambda x: math.sqrt(sum(v * v for v in x))
  return np.array([max(0.0, length(a - p) - length(a - n) + margin) for a, p, n in zip(anchor, positive, negative, strict=True)])


def softmax_cross_entropy(sg, logits, labels, smoothing=0.0):
  loss, classes = [], logits.shape[1]
  for x, y in zip(logits, labels, strict=True):
    true = [float(c == y) for c in range(classes)] if y.ndim == 0 else y
    loss.append(-sum(((1 - smoothing) * t + smoothing / classes) * p for t, p in zip(true, log_softmax(x), strict=True)))
  return np.array(loss)


def binary_cross_entropy(sg, x, labels, threshold=None):
  loss = np.zeros(len(x))
  for i in range(len(x)):
    for c in range(len(x[i])):
      t = float(labels[i] == c) if labels.ndim == 1 else labels[i, c]
      t = t if threshold is None else float(t > threshold)
      loss[i] += (t * softplus(-x[i, c]) + (1 - t) * softplus(x[i, c])) / len(x[i])
  return loss


def known_cross_entropy(sg, logits, labels):
  known = [-log_softmax(x)[y] for x, y in zip(logits, labels, strict=True) if y >= 0]
  return sum(known) / max(1, len(known))


def am_softmax(sg, z, prototypes, labels, margin=0.35, scale=30.0):
  loss = []
  for x, y in zip(z, labels, strict=True):
    logits = [scale * (cos(x, w) - margin * (c == y)) for c, w in enumerate(prototypes)]
    loss.append(-log_softmax(logits)[y])
  return np.array(loss)


def aam_softmax(sg, z, prototypes, labels, margin=0.2, scale=30.0):
  loss = []
  for x, y in zip(z, labels, strict=True):
    logits = [scale * cos(x, w) for w in prototypes]
    theta = math.acos(cos(x, prototypes[y]))
    beyond = theta >= math.pi - margin
    logits[y] = scale * (math.cos(theta) - margin * math.sin(margin) if beyond else math.cos(theta + margin))
    loss.append(-log_softmax(logits)[y])
  return np.array(loss)


def cores(sg, z, labels):
  d = z.shape[1]
  corners = [np.eye(d)[i] for i in range(d)] + [np.full(d, (1 - math.sqrt(1 + d)) / d)]
  centre = sum(corners) / (d + 1)
  corners = unit(np.array([c - centre for c in corners]))
  return np.array([-log_softmax([c @ x for c in corners])[y] for x, y in zip(z, labels, strict=True)])


def edl(sg, logits, labels, kl_weight=1.0):
  from scipy.special import digamma, gammaln

  loss = np.zeros(len(logits))
  for i, (row, label) in enumerate(zip(logits, labels, strict=True)):
    a = np.array([softplus(x) + 1 for x in row])
    y, total = np.eye(len(a))[label], sum(a)
    p = a / total
    loss[i] = sum((y[j] - p[j]) ** 2 + p[j] * (1 - p[j]) / (total + 1) for j in range(len(a)))
    a = np.array([1.0 if j == label else a[j] for j in range(len(a))])
    kl = gammaln(sum(a)) - sum(gammaln(a)) - gammaln(len(a))
    loss[i] += kl_weight * (kl + sum((x - 1) * (digamma(x) - digamma(sum(a))) for x in a))
  return loss


def i_edl(sg, logits, labels, fisher_weight=1.0, kl_weight=1.0):
  from scipy.special import digamma, gammaln, polygamma

  loss = np.zeros(len(logits))
  for i, (row, label) in enumerate(zip(logits, labels, strict=True)):
    a = np.array([softplus(x) + 1 for x in row])
    y, total, classes = np.eye(len(a))[label], sum(a), len(a)
    psi = [polygamma(1, x) for x in a]
    for j in range(classes):
      variance = a[j] * (total - a[j]) / (total**2 * (total + 1))
      loss[i] += psi[j] * ((y[j] - a[j] / total) ** 2 + variance)
    fisher = np.diag(psi) - polygamma(1, total)  # the Fisher information of a Dirichlet
    loss[i] -= fisher_weight * math.log(np.linalg.det(fisher))
    a = np.array([1.0 if j == label else a[j] for j in range(classes)])
    kl = gammaln(sum(a)) - sum(gammaln(a)) - gammaln(classes)
    loss[i] += kl_weight * (kl + sum((x - 1) * (digamma(x) - digamma(sum(a))) for x in a))
  return loss


def cosine_regression(sg, q, k, labels, weights=None):
  weights = np.ones(len(q)) if weights is None else weights
  return np.array([w * (y - cos(u, v)) ** 2 for u, v, y, w in zip(q, k, labels, weights, strict=True)])


def ranking(similarity, labels):
  b = range(len(labels))
  return math.log1p(sum(math.exp(similarity[i] - similarity[j]) for i in b for j in b if labels[i] < labels[j]))


def cosent(sg, q, k, labels, scale=20.0):
  return ranking([scale * cos(u, v) for u, v in zip(q, k, strict=True)], labels)


def angle(sg, q, k, labels, scale=20.0):
  similarity = []
  for u, v in zip(q, k, strict=True):
    half = len(u) // 2
    z, w = u[:half] + 1j * u[half:], v[:half] + 1j * v[half:]
    norms = [math.sqrt(sum(abs(x) ** 2)) for x in (z, w)]
    quotient = z * w.conj() / norms[1] ** 2 / (norms[0] / norms[1])
    similarity.append(scale * abs(sum(quotient.real) + sum(quotient.imag)))
  return ranking(similarity, labels)


def entity_recovery(sg, z, candidates, labels, mask=None):
  mask = np.ones(labels.shape, bool) if mask is None else mask
  logits = np.array([[[x @ e for e in candidates[i]] for x in z[i]] for i in range(len(z))])
  return share(cross_entropies(logits, np.where(mask, labels, 0)), mask)


LABELS = np.array([2, 0, 1, 1, 3, 2])
GRADES = np.float32([0.1, 0.9, 0.4, 0.4, 0.7, 0.2])


def classes(rng):
  return normal(rng, 6, 5), normal(rng, 4, 5)


def opposite(rng):
  """Some examples lie almost opposite to the prototype of their class."""
  z, w = classes(rng)
  z[:3] = -w[LABELS[:3]] + 0.05 * z[:3]
  return z, w


def first_cross_entropy(sg, scores):
  return np.array([math.log(sum(math.exp(s - row[0]) for s in row)) for row in scores])


def paired_cross_entropy(sg, scores, ids=None):
  same = lambda i, j: i != j and ids is not None and ids[i] == ids[j]
  return np.array([math.log(sum(math.exp(s - row[i]) for j, s in enumerate(row) if not same(i, j))) for i, row in enumerate(scores)])


ORACLES = {
  'first_cross_entropy': Oracle(
    first_cross_entropy, lambda rng: [((normal(rng, 5, 3, scale=2.0),), {})], sizes(lambda rng: ((normal(rng, 4, 4),), {}))
  ),
  'paired_cross_entropy': Oracle(
    paired_cross_entropy,
    lambda rng: [((normal(rng, 5, 5, scale=2.0),), {}), ((normal(rng, 6, 6, scale=2.0),), dict(ids=IDS))],
    sizes(lambda rng: ((normal(rng, 4, 4),), {})),
  ),
  'prototypical': Oracle(prototypical, lambda rng: [(views(rng), {}), (views(rng, 4, 2), {})], sizes(lambda rng: (views(rng), {}))),
  'angular_prototypical': Oracle(
    angular_prototypical,
    lambda rng: [(views(rng), {}), (views(rng, 4, 2), dict(scale=3.0))],
    sizes(lambda rng: (views(rng), {})),
  ),
  'ge2e': Oracle(ge2e, lambda rng: [(views(rng), {}), (views(rng, 4, 2), dict(scale=3.0))]),
  'triplet': Oracle(
    triplet,
    lambda rng: [
      (pair(rng), {}),
      (pair(rng), dict(margin=0.7, ids=IDS)),
      (pair(rng), dict(margin=1.0, weights=rng.random((6, 6)).astype(np.float32))),
      (pair(rng), dict(margin=1.0, hardest=2, hard=0.5)),
      (pair(rng), dict(margin=1.0, hardest=11, hard=0.5, ids=IDS)),
    ],
  ),
  'euclidean_triplet': Oracle(
    euclidean_triplet,
    lambda rng: [
      ((normal(rng, 6, 5), normal(rng, 6, 5), normal(rng, 6, 5)), {}),
      ((normal(rng, 6, 5), normal(rng, 6, 5), normal(rng, 6, 5)), dict(margin=0.3)),
    ],
    sizes(lambda rng: ((normal(rng, 6, 5), normal(rng, 6, 5), normal(rng, 6, 5)), {})),
  ),
  'cross_entropy': Oracle(
    softmax_cross_entropy,
    lambda rng: [
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=LABELS)),
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=LABELS, smoothing=0.1)),
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=rng.dirichlet(np.ones(4), 6).astype(np.float32))),
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=rng.dirichlet(np.ones(4), 6).astype(np.float32), smoothing=0.3)),
    ],
    sizes(lambda rng: ((normal(rng, 6, 4),), dict(labels=LABELS))),
  ),
  'binary_cross_entropy': Oracle(
    binary_cross_entropy,
    lambda rng: [
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=LABELS)),
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=rng.random((6, 4)).astype(np.float32))),
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=rng.dirichlet(np.ones(4), 6).astype(np.float32), threshold=0.2)),
    ],
    sizes(lambda rng: ((normal(rng, 6, 4),), dict(labels=LABELS))),
  ),
  'known_cross_entropy': Oracle(
    known_cross_entropy,
    lambda rng: [
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=np.where(np.arange(6) % 2, -1, LABELS))),
      ((normal(rng, 6, 4),), dict(labels=np.full(6, -1))),
    ],
    sizes(lambda rng: ((normal(rng, 6, 4),), dict(labels=LABELS))),
  ),
  'am_softmax': Oracle(
    am_softmax,
    lambda rng: [(classes(rng), dict(labels=LABELS)), (classes(rng), dict(labels=LABELS, margin=0.1, scale=4.0))],
    sizes(lambda rng: (classes(rng), dict(labels=LABELS))),
  ),
  'aam_softmax': Oracle(
    aam_softmax,
    lambda rng: [(classes(rng), dict(labels=LABELS)), (opposite(rng), dict(labels=LABELS, margin=0.5, scale=4.0))],
    lambda rng: (
      [((w[LABELS], w), dict(labels=LABELS)) for w in (normal(rng, 4, 5), np.eye(4, 5, dtype=np.float32))]
      + sizes(lambda rng: (classes(rng), dict(labels=LABELS)))(rng)
    ),
  ),
  'cores': Oracle(
    cores,
    lambda rng: [((normal(rng, 6, 5, scale=3.0),), dict(labels=LABELS))],
  ),
  'edl': Oracle(
    edl,
    lambda rng: [
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=LABELS)),
      ((normal(rng, 6, 4),), dict(labels=LABELS, kl_weight=0.3)),
    ],
  ),
  'i_edl': Oracle(
    i_edl,
    lambda rng: [
      ((normal(rng, 6, 4, scale=2.0),), dict(labels=LABELS)),
      ((normal(rng, 6, 4),), dict(labels=LABELS, fisher_weight=0.1, kl_weight=0.3)),
    ],
  ),
  'cosine_regression': Oracle(
    cosine_regression, lambda rng: [(pair(rng), dict(labels=GRADES)), (pair(rng), dict(labels=GRADES, weights=GRADES > 0))]
  ),
  'cosent': Oracle(cosent, lambda rng: [(pair(rng), dict(labels=GRADES)), (pair(rng), dict(labels=GRADES, scale=2.0))]),
  'angle': Oracle(angle, lambda rng: [(pair(rng, d=6), dict(labels=GRADES)), (pair(rng, d=4), dict(labels=GRADES, scale=2.0))]),
  'entity_recovery': Oracle(
    entity_recovery,
    lambda rng: [
      ((normal(rng, 4, 3, 5), normal(rng, 4, 6, 5)), dict(labels=rng.integers(0, 6, (4, 3)))),
      ((normal(rng, 4, 3, 5), normal(rng, 4, 6, 5)), dict(labels=np.where(TOKENS, 3, -1), mask=TOKENS)),
    ],
    sizes(
      lambda rng: ((normal(rng, 4, 3, 5), normal(rng, 4, 6, 5)), dict(labels=np.where(TOKENS, 3, -1), mask=TOKENS)),
      lambda rng: ((normal(rng, 4, 3, 5), normal(rng, 4, 6, 5)), dict(labels=TOKENS * 1, mask=TOKENS & False)),
    ),
  ),
}
