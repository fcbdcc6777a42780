"""Oracles of objectives over many views, modalities and patches, as loops."""

import itertools
import math

import numpy as np

from tests.oracles.contrastive import IDS, pair, table, unit
from tests.oracles.distil import kl_logits
from tests.oracles.oracle import Oracle
from tests.oracles.shared import log_softmax, log_sum_exp, pair_of_tokens, sizes, units, views


def likelihood(z, i, a, target, tau):
  """exp(z_ia.target/tau) against every view of every other example."""
  positive = math.exp(z[i, a] @ target / tau)
  others = sum(math.exp(z[j, g] @ target / tau) for j in range(len(z)) if j != i for g in range(z.shape[1]))
  return positive / (positive + others)


def poly_view_geometric(sg, z, temperature=0.1):
  z, (b, v, _) = units(z), z.shape
  pairs = list(itertools.permutations(range(v), 2))
  return np.array([-sum(math.log(likelihood(z, i, a, z[i, c], temperature)) for a, c in pairs) / len(pairs) for i in range(b)])


def poly_view_arithmetic(sg, z, temperature=0.1):
  z, (b, v, _) = units(z), z.shape
  loss = np.zeros(b)
  for i in range(b):
    for a in range(v):
      mean = sum(likelihood(z, i, a, z[i, c], temperature) for c in range(v) if c != a) / (v - 1)
      loss[i] -= math.log(mean) / v
  return loss


def poly_view_statistics(sg, z, temperature=0.1, normalize=True):
  z, (b, v, _) = units(z), z.shape
  loss = np.zeros(b)
  for i in range(b):
    for a in range(v):
      s = sum(z[i, c] for c in range(v) if c != a) / (v - 1)
      s = s / math.sqrt(s @ s) if normalize else s
      loss[i] -= math.log(likelihood(z, i, a, s, temperature)) / v
  return loss


def care(sg, q, k, chunks=8, ids=None):
  q, k = unit(q), unit(k)
  n = len(q) // chunks
  chunk = [i // n for i in range(len(q))] if ids is None else [x % chunks for x in ids]
  return np.array([2 * sum((q[i] @ q[j] - k[i] @ k[j]) ** 2 for j in range(len(q)) if j != i and chunk[j] == chunk[i]) for i in range(len(q))])


def symile(sg, z, scale=1.0, permutations=None):
  z, (b, m, d) = units(z), z.shape

  def mip(rows):
    return scale * sum(math.prod(r[x] for r in rows) for x in range(d))

  loss = np.zeros(b)
  for i in range(b):
    truth = mip([z[i, a] for a in range(m)])
    for a in range(m):
      others = [o for o in range(m) if o != a]
      if permutations is None:
        tuples = [t for t in itertools.product(range(b), repeat=m - 1) if t != (i,) * (m - 1)]
      else:
        tuples = [[permutations[a, o, j] for o in others] for j in range(b) if j != i]
      logits = [mip([z[i, a], *(z[j, o] for j, o in zip(t, others, strict=True))]) for t in tuples]
      loss[i] += (log_sum_exp([truth, *logits]) - truth) / m
  return loss


def pairwise_info_nce(sg, z, scale=1.0, ids=None):
  z, (b, m, _) = units(z), z.shape
  ids = np.arange(b) if ids is None else ids
  loss = np.zeros(b)
  for a, c in itertools.permutations(range(m), 2):
    for i in range(b):
      kept = [i, *(j for j in range(b) if ids[j] != ids[i])]
      loss[i] -= log_softmax([scale * z[i, a] @ z[j, c] for j in kept])[0] / (m * (m - 1))
  return loss


def view_centre(sg, z, centres=None):
  b, v, d = z.shape
  g = v if centres is None else centres
  loss = np.zeros(b)
  for i in range(b):
    centre = sum(z[i, a] for a in range(g)) / g
    loss[i] = sum((centre[x] - z[i, a, x]) ** 2 for a in range(v) for x in range(d)) / (v * d)
  return loss


def mmcr(sg, z, k=None, lam=None):
  z = units(z)
  centroids = [sum(rows) / len(rows) for rows in z]
  if k is not None:
    centroids = [(c + sg(sum(rows) / len(rows))) / 2 for c, rows in zip(centroids, units(k), strict=True)]
  nuclear = lambda x: sum(np.linalg.svd(x, compute_uv=False))
  loss = -nuclear(np.array(centroids))
  return loss if lam is None else loss + lam * sum(nuclear(rows) for rows in z) / len(z)


def gelu(x):
  return np.vectorize(lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))))(x)


def non_negative(sg, q, k, temperature=0.2, ids=None):
  z = []
  for x in (q, k):
    smooth = gelu(x)
    z.append(unit(smooth + sg(np.maximum(x, 0) - smooth)))
  q, k = z
  b = len(q)
  ids = np.arange(b) if ids is None else ids
  loss = np.zeros(b)
  for i in range(b):
    other = [j for j in range(b) if ids[j] != ids[i]]
    logits = [q[i] @ k[i] / temperature, *(q[i] @ z[j] / temperature for z in (q, k) for j in other)]
    loss[i] = log_sum_exp(logits) - logits[0]
  return loss


def patch_discrimination(sg, prediction, target, temperature=0.2, eps=1e-4):
  b, n, d = prediction.shape
  loss = np.zeros(b)
  for i in range(b):
    p = prediction[i] - prediction[i].mean(0)
    p = unit(p / (np.sqrt((p**2).sum(0) / (n - 1)) + eps))
    t = sg(unit(target[i]))
    for x in range(n):
      loss[i] -= 2 * temperature * log_softmax([p[x] @ t[y] / temperature for y in range(n)])[x] / n
  return loss


def patch_similarity(sg, z, target=0.75):
  z, (b, n, _) = units(z), z.shape
  cosines = [z[i, x] @ z[i, y] for i in range(b) for x in range(n) for y in range(n)]
  return (sum(cosines) / len(cosines) - target) ** 2


def simcse(sg, q, k, negatives=None, valid=None, temperature=0.05, alpha=0.0, ids=None):
  q, k, b = unit(q), unit(k), len(q)
  valid = np.ones(b, bool) if valid is None else valid
  negatives = None if negatives is None else unit(negatives)
  ids = np.arange(b) if ids is None else ids
  loss = np.zeros(b)
  for i in range(b):
    keep = [j for j in range(b) if j == i or ids[j] != ids[i]]
    logits = [q[i] @ k[j] / temperature for j in keep]
    if negatives is not None:
      logits += [q[i] @ negatives[j] / temperature + (alpha if j == i else 0) for j in keep if valid[j]]
    loss[i] = log_sum_exp(logits) - q[i] @ k[i] / temperature
  return loss


def gist(sg, q, k, guide_q, guide_k, negatives=None, guide_negatives=None, temperature=0.01, margin=0.0, ids=None):
  q, k, g, h, b = unit(q), unit(k), unit(guide_q), unit(guide_k), len(q)
  ids = np.arange(b) if ids is None else ids
  loss = np.zeros(b)
  for i in range(b):
    threshold, others = g[i] @ h[i] - margin, [j for j in range(b) if ids[j] != ids[i]]
    logits = [q[i] @ k[i] / temperature]
    logits += [q[i] @ k[j] / temperature for j in others if not g[i] @ h[j] > threshold]
    logits += [q[i] @ q[j] / temperature for j in others if not g[i] @ g[j] > threshold]
    logits += [k[i] @ k[j] / temperature for j in others if not h[i] @ h[j] > threshold]
    if negatives is not None:
      hard, rated = unit(negatives), unit(guide_negatives)
      logits += [q[i] @ hard[j] / temperature for j in sorted([i, *others]) if not g[i] @ rated[j] > threshold]
    loss[i] = log_sum_exp(logits) - logits[0]
  return loss


def guided(rng, *names, d=3):
  """The guide's embeddings by name."""
  return {name: table(rng, 6, d) for name in names}


def bidirectional_margin(sg, q, k, labels, alpha=0.2, beta=0.5):
  q, k, b = unit(q), unit(k), len(q)
  loss = np.zeros(b)
  for i in range(b):
    for j in range(b):
      if j != i and labels[i] >= 0 and labels[j] == labels[i]:
        apart = q[i] @ k[j] - q[i] @ k[i]
        loss[i] += (max(apart + alpha, 0) + max(-apart - beta, 0)) / b
  return loss


def kl_align(sg, q, k, temperature=1.0):
  return kl_logits(sg, q, k, temperature) / temperature


def permutations(rng, m=3, b=5):
  return np.array([[rng.permutation(b) for _ in range(m)] for _ in range(m)])


ORACLES = {
  'poly_view_geometric': Oracle(poly_view_geometric, lambda rng: [(views(rng), {}), (views(rng, 4, 2), dict(temperature=0.5))]),
  'poly_view_arithmetic': Oracle(poly_view_arithmetic, lambda rng: [(views(rng), {}), (views(rng, 4, 2), dict(temperature=0.5))]),
  'poly_view_statistics': Oracle(
    poly_view_statistics,
    lambda rng: [(views(rng), {}), (views(rng, 4, 2), dict(temperature=0.5)), (views(rng), dict(normalize=False))],
  ),
  'view_centre': Oracle(view_centre, lambda rng: [(views(rng), {}), (views(rng, 4, 5), dict(centres=2))]),
  'mmcr': Oracle(
    mmcr, lambda rng: [(views(rng), {}), (views(rng, 7, 2), dict(lam=0.3)), ((*views(rng, 3, 3, 6), *views(rng, 3, 3, 6)), dict(lam=0.005))]
  ),
  'care': Oracle(
    care,
    lambda rng: [
      (pair(rng, 16), {}),
      (pair(rng, 6), dict(chunks=2)),
      (pair(rng, 6), dict(chunks=3, ids=np.array([4, 7, 2, 1, 5, 9]))),
    ],
    sizes(lambda rng: (pair(rng, 8), dict(chunks=2)), lambda rng: (pair(rng, 8), {})),
  ),
  'symile': Oracle(
    symile,
    lambda rng: [
      (views(rng), dict(scale=8.0)),
      (views(rng, 4, 2), dict(scale=3.0)),
      (views(rng), dict(scale=8.0, permutations=permutations(rng))),
    ],
    sizes(lambda rng: (views(rng), dict(scale=8.0)), lambda rng: (views(rng, 1), dict(scale=8.0))),
    learned=('scale',),
  ),
  'non_negative': Oracle(
    non_negative,
    lambda rng: [(pair(rng, d=16), {}), (pair(rng, d=16), dict(temperature=0.5, ids=IDS))],
    lambda rng: [(tuple(-np.abs(x) for x in pair(rng)), {})] + sizes(lambda rng: (pair(rng), {}))(rng),
  ),
  'pairwise_info_nce': Oracle(
    pairwise_info_nce,
    lambda rng: [(x := views(rng), dict(scale=8.0)), (views(rng, 4, 2), dict(scale=3.0)), (x, dict(scale=8.0, ids=IDS[: len(x[0])]))],
    sizes(lambda rng: (views(rng), dict(scale=8.0)), lambda rng: (views(rng, 1), dict(scale=8.0))),
    learned=('scale',),
  ),
  'patch_discrimination': Oracle(
    patch_discrimination,
    lambda rng: [(pair_of_tokens(rng), {}), (pair_of_tokens(rng), dict(temperature=0.5, eps=0.1))],
    sizes(lambda rng: (pair_of_tokens(rng), {}), lambda rng: (pair_of_tokens(rng, n=1), {})),
  ),
  'patch_similarity': Oracle(patch_similarity, lambda rng: [(pair_of_tokens(rng)[:1], {}), (views(rng), dict(target=0.25))]),
  'simcse': Oracle(
    simcse,
    lambda rng: [
      (pair(rng), {}),
      (pair(rng), dict(negatives=table(rng, 6), temperature=0.3, alpha=0.7)),
      (pair(rng), dict(negatives=table(rng, 6), temperature=0.3, ids=IDS)),
      (pair(rng), dict(negatives=table(rng, 6), temperature=0.3, valid=np.arange(6) % 3 > 0)),
      (pair(rng), dict(negatives=table(rng, 6), valid=np.zeros(6, bool))),
    ],
  ),
  'gist': Oracle(
    gist,
    lambda rng: [
      (pair(rng), guided(rng, 'guide_q', 'guide_k')),
      (pair(rng), dict(guided(rng, 'guide_q', 'guide_k'), temperature=0.2, margin=0.3, ids=IDS)),
      (pair(rng), dict(guided(rng, 'guide_q', 'guide_k', 'guide_negatives'), negatives=table(rng, 6), temperature=0.1)),
      (pair(rng), dict(guided(rng, 'guide_q', 'guide_k', 'guide_negatives'), negatives=table(rng, 6), temperature=0.3, margin=-0.2, ids=IDS)),
    ],
    sizes(lambda rng: (pair(rng), dict(guided(rng, 'guide_q', 'guide_k', 'guide_negatives'), negatives=table(rng, 6)))),
  ),
  'bidirectional_margin': Oracle(
    bidirectional_margin,
    lambda rng: [
      (pair(rng), dict(labels=np.array([0, 1, 0, 2, 1, 0]))),
      (pair(rng, 7), dict(labels=np.array([0, -1, 0, -1, 3, 0, 3]), alpha=0.5, beta=0.8)),
      (pair(rng), dict(labels=np.zeros(6, int), alpha=0.1, beta=0.3)),
    ],
  ),
  'kl_align': Oracle(kl_align, lambda rng: [(pair(rng), {}), (pair(rng), dict(temperature=0.3))]),
}
