"""Oracles of the objectives beyond the image canon, written from the papers and their official code as loops."""

import itertools
import math

import numpy as np

from tests.oracles.contrastive import IDS, pair, table, unit
from tests.oracles.oracle import Oracle


def softplus(x):
  return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def log_sum_exp(xs):
  top = max(xs)
  return top + math.log(sum(math.exp(x - top) for x in xs))


def log_softmax(x):
  return np.array([v - log_sum_exp(list(x)) for v in x])


def normal(rng, *shape, scale=1.0):
  return (scale * rng.normal(size=shape)).astype(np.float32)


def units(z):
  """Unit length along the last axis."""
  return unit(z.reshape(-1, z.shape[-1])).reshape(z.shape)


def sizes(*cases):
  """Degenerate forms of float arguments: zeros, all equal, huge and tiny; other arguments stay."""

  def scaled(rng):
    out = []
    for args, kwargs in [c(rng) for c in cases]:
      for change in (np.zeros_like, np.ones_like, lambda x: np.float32(1e4) * x, lambda x: np.float32(1e-20) * x):
        out.append((tuple(change(x) if x.dtype.kind == 'f' else x for x in args), kwargs))
    return out

  return scaled


def share(loss, mask):
  """b times an example's sum over the number of true values of the mask in the batch."""
  b = len(loss)
  return np.array([b * loss[i][mask[i]].sum() / mask.sum() for i in range(b)])


# multiview


def likelihood(z, i, a, target, tau):
  """exp(z_ia.target/tau) against every view of every other example."""
  positive = math.exp(z[i, a] @ target / tau)
  others = sum(math.exp(z[j, g] @ target / tau) for j in range(len(z)) if j != i for g in range(z.shape[1]))
  return positive / (positive + others)


def poly_view_geometric(sg, z, temperature=0.1):
  z, (b, v, _) = units(z), z.shape
  pairs = list(itertools.permutations(range(v), 2))
  return np.array(
    [-sum(math.log(likelihood(z, i, a, z[i, c], temperature)) for a, c in pairs) / len(pairs) for i in range(b)]
  )


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


def care(sg, q, k, chunks=8):
  q, k = unit(q), unit(k)
  n = len(q) // chunks
  return np.array(
    [
      2 * sum((q[i] @ q[j] - k[i] @ k[j]) ** 2 for j in range(len(q)) if j != i and j // n == i // n)
      for i in range(len(q))
    ]
  )


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


def simcse(sg, q, k, negatives=None, temperature=0.05, alpha=0.0, ids=None):
  q, k, b = unit(q), unit(k), len(q)
  negatives = None if negatives is None else unit(negatives)
  ids = np.arange(b) if ids is None else ids
  loss = np.zeros(b)
  for i in range(b):
    keep = [j for j in range(b) if j == i or ids[j] != ids[i]]
    logits = [q[i] @ k[j] / temperature for j in keep]
    if negatives is not None:
      logits += [q[i] @ negatives[j] / temperature + (alpha if j == i else 0) for j in keep]
    loss[i] = log_sum_exp(logits) - q[i] @ k[i] / temperature
  return loss


def kl_align(sg, q, k, temperature=1.0):
  return kl_logits(sg, q, k, temperature) / temperature


def views(rng, b=5, v=3, d=4):
  x = rng.normal(size=(b, 1, d))
  return ((x + 0.7 * rng.normal(size=(b, v, d))).astype(np.float32),)


def permutations(rng, m=3, b=5):
  return np.array([[rng.permutation(b) for _ in range(m)] for _ in range(m)])


MULTIVIEW = {
  'poly_view_geometric': Oracle(
    poly_view_geometric, lambda rng: [(views(rng), {}), (views(rng, 4, 2), dict(temperature=0.5))]
  ),
  'poly_view_arithmetic': Oracle(
    poly_view_arithmetic, lambda rng: [(views(rng), {}), (views(rng, 4, 2), dict(temperature=0.5))]
  ),
  'poly_view_statistics': Oracle(
    poly_view_statistics,
    lambda rng: [(views(rng), {}), (views(rng, 4, 2), dict(temperature=0.5)), (views(rng), dict(normalize=False))],
  ),
  'care': Oracle(
    care,
    lambda rng: [(pair(rng, 16), {}), (pair(rng, 6), dict(chunks=2))],
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
  'patch_discrimination': Oracle(
    patch_discrimination,
    lambda rng: [(pair_of_tokens(rng), {}), (pair_of_tokens(rng), dict(temperature=0.5, eps=0.1))],
    sizes(lambda rng: (pair_of_tokens(rng), {}), lambda rng: (pair_of_tokens(rng, n=1), {})),
  ),
  'patch_similarity': Oracle(
    patch_similarity, lambda rng: [(pair_of_tokens(rng)[:1], {}), (views(rng), dict(target=0.25))]
  ),
  'simcse': Oracle(
    simcse,
    lambda rng: [
      (pair(rng), {}),
      (pair(rng), dict(negatives=table(rng, 6), temperature=0.3, alpha=0.7)),
      (pair(rng), dict(negatives=table(rng, 6), temperature=0.3, ids=IDS)),
    ],
  ),
  'kl_align': Oracle(kl_align, lambda rng: [(pair(rng), {}), (pair(rng), dict(temperature=0.3))]),
}


def pair_of_tokens(rng, b=4, n=3, d=5):
  q, k = pair(rng, b * n, d)
  return q.reshape(b, n, d), k.reshape(b, n, d)


# sequence


def cross_entropies(logits, labels):
  """[... v] and [...] to [...]."""
  flat, index = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
  return np.array([-log_softmax(x)[y] for x, y in zip(flat, index, strict=True)]).reshape(labels.shape)


def token_cross_entropy(sg, logits, tokens, mask=None):
  mask = np.ones(tokens.shape, bool) if mask is None else mask
  return share(cross_entropies(logits, np.where(mask, tokens, 0)), mask)


def replaced_token_detection(sg, logits, replaced, mask=None):
  mask = np.ones(replaced.shape, bool) if mask is None else mask
  p = 1 / (1 + np.exp(-logits))
  return share(np.where(replaced, -np.log(p), -np.log(1 - p)), mask)


def codebook_cross_entropy(sg, logits, codes, mask, weights=None, masked_weight=0.9, valid=None):
  b, n, books, _ = logits.shape
  valid = np.ones((b, n), bool) if valid is None else valid
  loss = np.zeros((b, n))
  for x in range(books):
    g = 1 / books if weights is None else weights[x]
    loss += g * cross_entropies(logits[:, :, x], np.where(valid, codes[:, :, x], 0))
  return masked_weight * share(loss, mask & valid) + (1 - masked_weight) * share(loss, ~mask & valid)


def masked_value_mse(sg, prediction, target, mask):
  return share((prediction - sg(target)) ** 2, mask)


TOKENS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)


def sentences(rng, mask=TOKENS):
  tokens = rng.integers(0, 7, size=(4, 3))
  return (normal(rng, 4, 3, 7), np.where(mask, tokens, -100), mask)


def audio(rng):
  return normal(rng, 4, 3, 2, 6), rng.integers(0, 6, size=(4, 3, 2)), TOKENS


def series(rng):
  return normal(rng, 4, 5, 3), normal(rng, 4, 5, 3), rng.random((4, 5, 3)) < 0.3


SEQUENCE = {
  'token_cross_entropy': Oracle(
    token_cross_entropy,
    lambda rng: [(sentences(rng), {}), (sentences(rng, np.ones((4, 3), bool))[:2], {})],
    sizes(lambda rng: (sentences(rng), {}), lambda rng: (sentences(rng, TOKENS & False), {})),
  ),
  'replaced_token_detection': Oracle(
    replaced_token_detection,
    lambda rng: [((normal(rng, 4, 3), ~TOKENS, TOKENS), {}), ((normal(rng, 4, 3), TOKENS), {})],
    sizes(lambda rng: ((normal(rng, 4, 3), TOKENS, TOKENS & False), {}), lambda rng: ((normal(rng, 4, 3), TOKENS), {})),
  ),
  'codebook_cross_entropy': Oracle(
    codebook_cross_entropy,
    lambda rng: [
      (audio(rng), {}),
      (
        audio(rng),
        dict(weights=np.float32([0.7, 0.3]), masked_weight=0.6, valid=np.array([[1, 1, 0]] * 4, bool)),
      ),
    ],
    sizes(lambda rng: (audio(rng), {}), lambda rng: ((*audio(rng)[:2], TOKENS | True), {})),
  ),
  'masked_value_mse': Oracle(
    masked_value_mse,
    lambda rng: [(series(rng), {})],
    sizes(lambda rng: (series(rng), {}), lambda rng: ((*series(rng)[:2], np.zeros((4, 5, 3), bool)), {})),
  ),
}


# distil


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


DISTIL = {
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

MORE = MULTIVIEW | SEQUENCE | DISTIL
