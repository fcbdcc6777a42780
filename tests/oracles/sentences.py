"""Oracles of the objectives of sentence embeddings without labels, as loops."""

import math

import numpy as np

from tests.oracles.contrastive import pair, table, unit
from tests.oracles.oracle import Oracle
from tests.oracles.shared import cos, log_softmax, log_sum_exp, normal, sizes, softplus


def contrastive_tension(sg, q, k, ratio=7.0, ids=None):
  b = len(q)
  ids = range(b) if ids is None else ids
  loss = np.zeros(b)
  for i in range(b):
    others = [j for j in range(b) if ids[j] != ids[i]]
    apart = sum(softplus(q[i] @ k[j]) for j in others) / max(len(others), 1)
    loss[i] = (softplus(-(q[i] @ k[i])) + ratio * apart) / (1 + ratio)
  return loss


def self_guided(sg, q, k, drift=None, anchor=0.1, temperature=0.01, ids=None):
  b, layers = k.shape[:2]
  ids = range(b) if ids is None else ids
  loss = np.zeros(b)
  for i in range(b):
    apart = [cos(q[i], k[j, m]) / temperature for j in range(b) if ids[j] != ids[i] for m in range(layers)]
    for m in range(layers):
      own = cos(q[i], k[i, m]) / temperature
      loss[i] += (log_sum_exp([own, *apart]) - own) / layers
    loss[i] += 0 if drift is None else anchor * drift[i]
  return loss


def dclr(sg, q, k, guide_q, guide_k, noise, temperature=0.05, threshold=0.9, steps=4, step_size=1e-3):
  q, k, b = unit(q), unit(k), len(q)
  n = noise.copy()
  for _ in range(steps):
    moved = n.copy()
    for m in range(len(n)):
      direction, length = n[m] / np.linalg.norm(n[m]), np.linalg.norm(n[m])
      gradient = np.zeros(n.shape[1])
      for i in range(b):
        scores = [q[i] @ x / temperature for x in (*k, *unit(n))]
        share = math.exp(scores[b + m] - log_sum_exp(scores))
        gradient += share / temperature * (q[i] - (q[i] @ direction) * direction) / length
      moved[m] += step_size * gradient / np.linalg.norm(gradient)
    n = moved
  n, loss = sg(unit(n)), np.zeros(b)
  kept = sg(np.array([[float(i == j or cos(guide_q[i], guide_k[j]) < threshold) for j in range(b)] for i in range(b)]))
  for i in range(b):
    scores = [q[i] @ k[j] / temperature for j in range(b) if kept[i, j]] + [q[i] @ x / temperature for x in n]
    loss[i] = log_sum_exp(scores) - q[i] @ k[i] / temperature
  return loss


def attention_information(sg, q, k, mask, chunks=2, eps=1e-6):
  b, layers, heads, n = q.shape[:4]
  size, loss = layers // chunks, np.zeros(b)
  for i in range(b):
    for c in range(chunks):
      for h in range(heads):
        at = [(layer, h, x, y) for layer in range(c * size, (c + 1) * size) for x in range(n) for y in range(n) if mask[i, x] and mask[i, y]]
        xs, ys = (np.array([a[i][place] for place in at]) for a in (q, k))
        xs, ys = (v - v.sum() / max(len(v), 1) for v in (xs, ys))
        spread = (xs @ xs) * (ys @ ys)
        square = (xs @ ys) ** 2 / spread if spread > 0 else 0.0
        loss[i] += math.log(max(1 - square, eps)) / 2 / (chunks * heads)
  return loss


def cross_view(sg, q, k, queue, temperature=0.03, reference_temperature=0.02):
  loss, references = [], sg(unit(np.concatenate([queue, k])))
  for x, y in zip(q, k, strict=True):
    of = sg(log_softmax([cos(y, n) / reference_temperature for n in references]))
    by = log_softmax([cos(x, n) / temperature for n in references])
    loss.append(sum(math.exp(t) * (t - s) for t, s in zip(of, by, strict=True)))
  return np.array(loss)


IDS = np.array([3, 1, 3, 2, 0, 2])


def layers(rng, b=6, n=3, d=5):
  return pair(rng, b, d)[0], normal(rng, b, n, d)


def guided(rng, b=6, d=5, m=4):
  q, k = pair(rng, b, d)
  guide = np.concatenate([normal(rng, 2, d), normal(rng, b - 2, d)])
  guide[1] = guide[0] + 0.05
  return (q, k), dict(guide_q=guide, guide_k=guide + 0.01 * normal(rng, b, d), noise=normal(rng, m, d))


def attention(rng, b=3, layers=4, heads=2, n=4):
  q = normal(rng, b, layers, heads, n, n)
  mask = np.arange(n) < np.array([[n], [n - 1], [2]])
  return (q, (q + normal(rng, *q.shape)).astype(np.float32)), dict(mask=mask)


ORACLES = {
  'contrastive_tension': Oracle(
    contrastive_tension, lambda rng: [(pair(rng), {}), (pair(rng), dict(ratio=2.0, ids=IDS))], sizes(lambda rng: (pair(rng), {}))
  ),
  'self_guided': Oracle(
    self_guided,
    lambda rng: [
      (layers(rng), dict(temperature=0.1)),
      (layers(rng), dict(temperature=0.3, ids=IDS)),
      (layers(rng), dict(temperature=0.3, drift=np.full(6, 0.7, np.float32), anchor=0.2)),
    ],
    sizes(lambda rng: (layers(rng), dict(temperature=0.1))),
  ),
  'dclr': Oracle(
    dclr,
    lambda rng: [
      guided(rng),
      (lambda args, named: (args, dict(**named, temperature=0.3, threshold=0.5, steps=2, step_size=0.1)))(*guided(rng)),
    ],
    sizes(guided),
  ),
  'attention_information': Oracle(
    attention_information,
    lambda rng: [attention(rng), (lambda args, named: (args, dict(**named, chunks=1)))(*attention(rng))],
    lambda rng: [(args, {**named, 'mask': mask}) for args, named in sizes(attention)(rng) for mask in (named['mask'], named['mask'] & False)],
  ),
  'cross_view': Oracle(
    cross_view,
    lambda rng: [
      (pair(rng), dict(queue=table(rng, 8), temperature=0.2, reference_temperature=0.1)),
      (pair(rng), dict(queue=table(rng, 3), temperature=0.5, reference_temperature=0.5)),
    ],
  ),
}
