"""Oracles of the contrastive objectives: double loops over anchors and candidates."""

import math

import numpy as np

from tests.oracles.oracle import Oracle


def unit(x):
  return np.stack([row / math.sqrt(float(row @ row)) for row in x])


def apart(ids, i, j):
  return i != j if ids is None else ids[i] != ids[j]


def nt_xent(sg, q, k, temperature=0.5, ids=None):
  q, k = unit(q), unit(k)
  loss = []
  for i in range(len(q)):
    positive = math.exp(q[i] @ k[i] / temperature)
    denominator = positive
    for j in range(len(q)):
      if apart(ids, i, j):
        denominator += math.exp(q[i] @ q[j] / temperature) + math.exp(q[i] @ k[j] / temperature)
    loss.append(-math.log(positive / denominator))
  return np.array(loss)


def info_nce(sg, q, k, negatives=None, temperature=0.07, ids=None):
  q, k = unit(q), unit(k)
  loss = []
  for i in range(len(q)):
    denominator = sum(math.exp(q[i] @ k[j] / temperature) for j in range(len(k)) if j == i or apart(ids, i, j))
    for own in [] if negatives is None else negatives:
      denominator += sum(math.exp(q[i] @ n / temperature) for n in unit(own))
    loss.append(-math.log(math.exp(q[i] @ k[i] / temperature) / denominator))
  return np.array(loss)


def filtered_info_nce(sg, q, k, surrogate_q, surrogate_k, temperature=0.02, margin=0.0):
  q, k, a, c = unit(q), unit(k), unit(surrogate_q), unit(surrogate_k)
  loss = []
  for i in range(len(q)):
    kept = [j for j in range(len(k)) if j == i or not a[i] @ c[j] >= a[i] @ c[i] + margin]
    loss.append(-math.log(math.exp(q[i] @ k[i] / temperature) / sum(math.exp(q[i] @ k[j] / temperature) for j in kept)))
  return np.array(loss)


def in_batch_softmax(sg, q, k, ids=None):
  loss = []
  for i in range(len(q)):
    scores = [q[i] @ k[j] for j in range(len(k)) if j == i or apart(ids, i, j)]
    top = max(scores)
    loss.append(top + math.log(sum(math.exp(s - top) for s in scores)) - q[i] @ k[i])
  return np.array(loss)


def info_nce_queue(sg, q, k, negatives, temperature=0.07, ids=None, negative_ids=None):
  q, k, negatives = unit(q), unit(k), unit(negatives)
  loss = []
  for i in range(len(q)):
    logits = [q[i] @ k[i] / temperature]
    for m in range(len(negatives)):
      if ids is None or ids[i] != negative_ids[m]:
        logits.append(q[i] @ negatives[m] / temperature)
    loss.append(math.log(sum(math.exp(x) for x in logits)) - logits[0])
  return np.array(loss)


def sup_con(sg, q, k, labels, temperature=0.1):
  z, y = unit(np.concatenate([q, k])), np.concatenate([labels, labels])
  loss = []
  for i in range(len(q)):
    everyone = [a for a in range(len(z)) if a != i]
    positives = [p for p in everyone if y[p] == y[i]]
    denominator = sum(math.exp(z[i] @ z[a] / temperature) for a in everyone)
    terms = [math.log(math.exp(z[i] @ z[p] / temperature) / denominator) for p in positives]
    loss.append(-sum(terms) / len(positives))
  return np.array(loss)


def nnclr(sg, q, k, support, temperature=0.1, ids=None):
  q, k, support = unit(q), unit(k), unit(support)
  nearest = np.stack([min(support, key=lambda s, z=z: (z - s) @ (z - s)) for z in k])
  nearest = sg(nearest)
  loss = []
  for i in range(len(q)):
    denominator = sum(math.exp(nearest[i] @ q[j] / temperature) for j in range(len(q)) if j == i or apart(ids, i, j))
    loss.append(-math.log(math.exp(nearest[i] @ q[i] / temperature) / denominator))
  return np.array(loss)


def decoupled(sg, q, k, temperature=0.1, sigma=None, ids=None):
  q, k = unit(q), unit(k)
  weights = np.ones(len(q))
  if sigma is not None:
    e = [math.exp(q[i] @ k[i] / sigma) for i in range(len(q))]
    weights = np.array([2 - x / (sum(e) / len(e)) for x in e])
  weights = sg(weights)
  loss = []
  for i in range(len(q)):
    negatives = 0.0
    for j in range(len(q)):
      if apart(ids, i, j):
        negatives += math.exp(q[i] @ q[j] / temperature) + math.exp(q[i] @ k[j] / temperature)
    loss.append(-weights[i] * (q[i] @ k[i]) / temperature + math.log(negatives))
  return np.array(loss)


def debiased(sg, q, k, temperature=0.5, tau_plus=0.1, ids=None):
  q, k = unit(q), unit(k)
  loss = []
  for i in range(len(q)):
    positive = math.exp(q[i] @ k[i] / temperature)
    negatives = []
    for j in range(len(q)):
      if apart(ids, i, j):
        negatives += [math.exp(q[i] @ q[j] / temperature), math.exp(q[i] @ k[j] / temperature)]
    n = len(negatives)
    g = max((sum(negatives) / n - tau_plus * positive) / (1 - tau_plus), math.exp(-1 / temperature))
    loss.append(-math.log(positive / (positive + n * g)))
  return np.array(loss)


def sig_lip(sg, q, k, t_prime=2.302585092994046, bias=-10.0, ids=None):
  q, k = unit(q), unit(k)
  t = math.exp(t_prime)
  loss = np.zeros(len(q))
  for i in range(len(q)):
    for j in range(len(k)):
      if i == j or apart(ids, i, j):
        z = 1 if i == j else -1
        loss[i] += math.log1p(math.exp(-z * (t * (q[i] @ k[j]) + bias)))
  return loss


def spectral(sg, q, k, mu=None, ids=None):
  if mu is not None:
    q, k = (np.stack([x * min(1, math.sqrt(mu / (x @ x))) for x in z]) for z in (q, k))
  loss = []
  for i in range(len(q)):
    squares = [(q[i] @ k[j]) ** 2 for j in range(len(k)) if apart(ids, i, j)]
    loss.append(-2 * (q[i] @ k[i]) + sum(squares) / len(squares))
  return np.array(loss) / (mu or 1)


def align(sg, q, k, alpha=2.0):
  return np.array([math.sqrt((x - y) @ (x - y)) ** alpha for x, y in zip(unit(q), unit(k), strict=True)])


def uniform(sg, q, k=None, t=2.0, ids=None):
  def potential(x):
    x = unit(x)
    pairs = [(i, j) for i in range(len(x)) for j in range(i) if apart(ids, i, j)]
    return math.log(sum(math.exp(-t * ((x[i] - x[j]) @ (x[i] - x[j]))) for i, j in pairs) / len(pairs))

  return potential(q) if k is None else (potential(q) + potential(k)) / 2


def koleo(sg, q, eps=1e-8):
  q = unit(q)
  distance = lambda i, j: math.sqrt(sum((x - y) ** 2 for x, y in zip(q[i], q[j], strict=True)))
  return np.array([-math.log(min(distance(i, j) for j in range(len(q)) if j != i) + eps) for i in range(len(q))])


def align_uniform(sg, q, k, alpha=2.0, t=2.0, uniformity_weight=1.0, ids=None):
  return align(sg, q, k, alpha) + uniformity_weight * uniform(sg, q, k, t, ids)


def pair(rng, b=6, d=5, scale=1.0):
  """Two views that have something in common."""
  x = rng.normal(size=(b, d))
  return tuple((scale * (x + 0.7 * rng.normal(size=(b, d)))).astype(np.float32) for _ in range(2))


IDS = np.array([0, 1, 0, 2, 3, 1])


def table(rng, m=9, d=5):
  return rng.normal(size=(m, d)).astype(np.float32)


ORACLES = {
  'nt_xent': Oracle(
    nt_xent,
    lambda rng: [
      (pair(rng), {}),
      (pair(rng, 7, 3, 20.0), dict(temperature=0.1)),
      (pair(rng), dict(temperature=0.2, ids=IDS)),
    ],
  ),
  'info_nce': Oracle(
    info_nce,
    lambda rng: [
      (pair(rng), dict(temperature=0.07)),
      (pair(rng, 7, 3, 0.01), dict(temperature=0.2)),
      (pair(rng), dict(temperature=0.5, ids=IDS)),
      (pair(rng), dict(temperature=0.1, ids=IDS, negatives=table(rng, 12).reshape(6, 2, 5))),
    ],
    learned=('temperature',),
  ),
  'filtered_info_nce': Oracle(
    filtered_info_nce,
    lambda rng: [
      (pair(rng), dict(zip(('surrogate_q', 'surrogate_k'), pair(rng, 6, 3), strict=True))),
      (pair(rng), dict(zip(('surrogate_q', 'surrogate_k'), pair(rng, 6, 4), strict=True), temperature=0.1, margin=0.2)),
    ],
  ),
  'in_batch_softmax': Oracle(in_batch_softmax, lambda rng: [(pair(rng), {}), (pair(rng, 7, 3), {}), (pair(rng), dict(ids=IDS))]),
  'info_nce_queue': Oracle(
    info_nce_queue,
    lambda rng: [
      (pair(rng), dict(negatives=table(rng))),
      (pair(rng), dict(negatives=table(rng), temperature=0.2, ids=IDS, negative_ids=np.arange(9) % 5)),
    ],
    lambda rng: [
      (pair(rng), dict(negatives=np.zeros((9, 5), np.float32))),
      (pair(rng), dict(negatives=table(rng), ids=np.zeros(6, int), negative_ids=np.zeros(9, int))),
      ((np.zeros((6, 5), np.float32),) * 2, dict(negatives=np.zeros((9, 5), np.float32))),
    ],
  ),
  'sup_con': Oracle(
    sup_con,
    lambda rng: [
      (pair(rng), dict(labels=np.array([0, 1, 0, 2, 1, 0]))),
      (pair(rng, 7), dict(labels=np.arange(7), temperature=0.5)),
      (pair(rng), dict(labels=np.zeros(6, int))),
    ],
  ),
  'nnclr': Oracle(
    nnclr,
    lambda rng: [
      (pair(rng), dict(support=table(rng))),
      (pair(rng), dict(support=table(rng, 4), temperature=0.3, ids=IDS)),
    ],
    lambda rng: [
      (pair(rng), dict(support=np.zeros((9, 5), np.float32))),
      ((np.zeros((6, 5), np.float32),) * 2, dict(support=table(rng))),
      (pair(rng, 1), dict(support=table(rng))),
    ],
  ),
  'dcl': Oracle(
    decoupled,
    lambda rng: [
      (pair(rng), {}),
      (pair(rng), dict(temperature=0.3, sigma=0.5)),
      (pair(rng), dict(sigma=0.5, ids=IDS)),
    ],
  ),
  'debiased': Oracle(
    debiased,
    lambda rng: [
      (pair(rng), {}),
      (pair(rng), dict(temperature=0.1, tau_plus=0.05)),
      (pair(rng), dict(tau_plus=0.0, ids=IDS)),
      (pair(rng), dict(tau_plus=0.9)),  # where the bound e^{-1/t} takes over
    ],
  ),
  'siglip': Oracle(
    sig_lip,
    lambda rng: [
      (pair(rng), dict(t_prime=math.log(10), bias=-10.0)),
      (pair(rng), dict(t_prime=1.0, bias=-0.5, ids=IDS)),
    ],
    learned=('t_prime', 'bias'),
  ),
  'spectral_contrastive': Oracle(
    spectral,
    lambda rng: [(pair(rng), {}), (pair(rng), dict(mu=4.0)), (pair(rng), dict(mu=1.0, ids=IDS))],
  ),
  'alignment': Oracle(align, lambda rng: [(pair(rng), {}), (pair(rng), dict(alpha=1.0)), (pair(rng), dict(alpha=3.0))]),
  'uniformity': Oracle(
    uniform,
    lambda rng: [(pair(rng), {}), (pair(rng)[:1], dict(t=1.0)), (pair(rng), dict(t=3.0, ids=IDS))],
  ),
  'koleo': Oracle(koleo, lambda rng: [(pair(rng)[:1], {}), (pair(rng, 9, 3)[:1], dict(eps=0.1))]),
  'align_uniform': Oracle(
    align_uniform,
    lambda rng: [(pair(rng), {}), (pair(rng), dict(alpha=1.0, t=3.0, uniformity_weight=0.5, ids=IDS))],
  ),
}
