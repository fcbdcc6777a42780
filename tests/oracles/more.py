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


def care(sg, q, k, chunks=8, ids=None):
  q, k = unit(q), unit(k)
  n = len(q) // chunks
  chunk = [i // n for i in range(len(q))] if ids is None else [x % chunks for x in ids]
  return np.array(
    [
      2 * sum((q[i] @ q[j] - k[i] @ k[j]) ** 2 for j in range(len(q)) if j != i and chunk[j] == chunk[i])
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


def pairwise_info_nce(sg, z, scale=1.0):
  z, (b, m, _) = units(z), z.shape
  loss = np.zeros(b)
  for a, c in itertools.permutations(range(m), 2):
    for i in range(b):
      loss[i] -= log_softmax([scale * z[i, a] @ z[j, c] for j in range(b)])[i] / (m * (m - 1))
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
    lambda rng: [(views(rng), dict(scale=8.0)), (views(rng, 4, 2), dict(scale=3.0))],
    sizes(lambda rng: (views(rng), dict(scale=8.0)), lambda rng: (views(rng, 1), dict(scale=8.0))),
    learned=('scale',),
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

# preference


def log_sigmoid(x):
  return -softplus(-x)


def bradley_terry(sg, chosen, rejected):
  return np.array([-log_sigmoid(w - v) for w, v in zip(chosen, rejected, strict=True)])


def binary_preference(sg, chosen, rejected):
  return np.array([-(log_sigmoid(w) + log_sigmoid(-v)) / 2 for w, v in zip(chosen, rejected, strict=True)])


def goal_contrast(sg, source, goal, other_source, other_goal):
  source, goal, other_source, other_goal = map(units, (source, goal, other_source, other_goal))
  loss = np.zeros(len(source))
  for i in range(len(source)):
    toward = [-log_sigmoid(s @ g) for s in source[i] for g in goal[i]]
    away = [-math.log(1 - 1 / (1 + math.exp(-s @ g))) for s in other_source[i] for g in other_goal[i]]
    loss[i] = sum(toward) / len(toward) + sum(away) / len(away)
  return loss


def pairwise(loss):
  """An oracle of the shared interface from a scalar loss of two (log-probability, reference, length)."""

  def function(sg, chosen, rejected, rc=None, rr=None, chosen_length=None, rejected_length=None, **options):
    b = len(chosen)
    empty = np.full(b, np.nan)
    rc, rr = (empty if x is None else sg(x) for x in (rc, rr))
    n, m = (empty if x is None else x for x in (chosen_length, rejected_length))
    return np.array([loss((chosen[i], rc[i], n[i]), (rejected[i], rr[i], m[i]), **options) for i in range(b)])

  return function


def margin(w, v):
  return (w[0] - w[1]) - (v[0] - v[1])


def dpo(w, v, beta=0.1):
  return -log_sigmoid(beta * margin(w, v))


def cdpo(w, v, beta=0.1, epsilon=0.1):
  return (1 - epsilon) * dpo(w, v, beta) + epsilon * dpo(v, w, beta)


def robust_dpo(w, v, beta=0.1, epsilon=0.1):
  return ((1 - epsilon) * dpo(w, v, beta) - epsilon * dpo(v, w, beta)) / (1 - 2 * epsilon)


def ipo(w, v, tau=0.1):
  return (margin(w, v) - 1 / (2 * tau)) ** 2


def slic(w, v, delta=1.0, weight=1.0):
  return max(0.0, delta - w[0] + v[0]) - weight * w[0]


def rrhf(w, v, weight=1.0):
  return weight * max(0.0, v[0] / v[2] - w[0] / w[2]) - w[0]


def kto(w, v, beta=0.1, kl=0.0, desirable_weight=1.0, undesirable_weight=1.0):
  sigma = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
  z = max(kl, 0.0)
  good = desirable_weight * (1 - sigma(beta * (w[0] - w[1] - z)))
  bad = undesirable_weight * (1 - sigma(beta * (z - v[0] + v[1])))
  return (good + bad) / 2


def orpo(w, v, weight=0.1):
  odds = [math.exp(x[0] / x[2]) / (1 - math.exp(x[0] / x[2])) for x in (w, v)]
  return -w[0] / w[2] - weight * log_sigmoid(math.log(odds[0] / odds[1]))


def simpo(w, v, beta=2.0, gamma=1.0):
  return -log_sigmoid(beta / w[2] * w[0] - beta / v[2] * v[0] - gamma)


def ppo_clip(sg, logp, old_logp, advantages, mask=None, clip=0.2):
  old, a = sg(old_logp), sg(advantages)
  loss = np.zeros_like(logp)
  for i, t in np.ndindex(logp.shape):
    u = math.exp(min(logp[i, t] - old[i, t], 20.0))
    loss[i, t] = -u * a[i, t]
    if a[i, t] > 0 and u > 1 + clip:
      loss[i, t] = -(1 + clip) * a[i, t]
    if a[i, t] < 0 and u < 1 - clip:
      loss[i, t] = -(1 - clip) * a[i, t]
  return share(loss, np.ones(loss.shape, bool) if mask is None else mask)


def written(rng):
  """Tokens that the policy has moved on by up to half, either way."""
  logp = -3 * rng.random((5, 4))
  moved = logp + rng.uniform(-0.5, 0.5, logp.shape)
  return tuple(x.astype(np.float32) for x in (logp, moved, rng.normal(size=logp.shape)))


def answers(rng, b=5):
  """Log-probabilities of answers of about ten tokens."""
  chosen, rejected = (-10 - 4 * rng.random(b) for _ in range(2))
  return tuple(x.astype(np.float32) for x in (chosen, rejected, chosen - rng.random(b), rejected - rng.random(b)))


def lengths(rng, b=5):
  return dict(chosen_length=rng.integers(5, 15, b), rejected_length=rng.integers(5, 15, b))


def preference(loss, **options):
  return Oracle(
    pairwise(loss), lambda rng: [(answers(rng), {}), (answers(rng), options)], sizes(lambda rng: (answers(rng), {}))
  )


def reference_free(loss, **options):
  return Oracle(
    pairwise(loss),
    lambda rng: [(answers(rng)[:2], lengths(rng)), (answers(rng), options | lengths(rng))],
    sizes(lambda rng: (answers(rng), lengths(rng))),
  )


def states(rng):
  return normal(rng, 3, 4, 5), normal(rng, 3, 2, 5), normal(rng, 3, 4, 5), normal(rng, 3, 2, 5)


PREFERENCE = {
  'bradley_terry': Oracle(bradley_terry, lambda rng: [((normal(rng, 5), normal(rng, 5)), {})]),
  'binary_preference': Oracle(binary_preference, lambda rng: [((normal(rng, 5), normal(rng, 5)), {})]),
  'goal_contrast': Oracle(goal_contrast, lambda rng: [(states(rng), {})]),
  'dpo': preference(dpo, beta=0.5),
  'cdpo': preference(cdpo, beta=0.5, epsilon=0.2),
  'robust_dpo': preference(robust_dpo, beta=0.5, epsilon=0.2),
  'ipo': preference(ipo, tau=0.5),
  'slic': preference(slic, delta=0.3, weight=0.2),
  'kto': preference(kto, beta=0.5, kl=0.4, desirable_weight=1.3, undesirable_weight=0.8),
  'rrhf': reference_free(rrhf, weight=3.0),
  'orpo': reference_free(orpo, weight=0.7),
  'simpo': reference_free(simpo, beta=3.0, gamma=0.4),
  'ppo_clip': Oracle(
    ppo_clip, lambda rng: [(written(rng), {}), ((*written(rng), rng.random((5, 4)) < 0.7), dict(clip=0.4))]
  ),
}


# labelled


def cos(x, y):
  return x @ y / math.sqrt((x @ x) * (y @ y))


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


def triplet(sg, q, k, margin=0.2, weights=None, ids=None):
  q, k, b = unit(q), unit(k), len(q)
  ids = np.arange(b) if ids is None else ids
  distance = [[(q[i] - k[j]) @ (q[i] - k[j]) for j in range(b)] for i in range(b)]
  loss = np.zeros(b)
  for i in range(b):
    other = [j for j in range(b) if ids[j] != ids[i]]
    nearest = min(other, key=lambda j: distance[i][j])
    for j in other:
      w = float(j == nearest) if weights is None else weights[i, j]
      loss[i] += w * max(0.0, distance[i][i] - distance[i][j] + margin)
  return loss


def euclidean_triplet(sg, anchor, positive, negative, margin=1.0):
  length = lambda x: math.sqrt(sum(v * v for v in x))
  return np.array([max(0.0, length(a - p) - length(a - n) + margin) for a, p, n in zip(anchor, positive, negative, strict=True)])


def softmax_cross_entropy(sg, logits, labels):
  return np.array([-log_softmax(x)[y] for x, y in zip(logits, labels, strict=True)])


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


def cosine_regression(sg, q, k, labels):
  return np.array([(y - cos(u, v)) ** 2 for u, v, y in zip(q, k, labels, strict=True)])


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


LABELLED = {
  'prototypical': Oracle(
    prototypical, lambda rng: [(views(rng), {}), (views(rng, 4, 2), {})], sizes(lambda rng: (views(rng), {}))
  ),
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
  'softmax_cross_entropy': Oracle(
    softmax_cross_entropy,
    lambda rng: [((normal(rng, 6, 4, scale=2.0),), dict(labels=LABELS))],
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
  'cosine_regression': Oracle(cosine_regression, lambda rng: [(pair(rng), dict(labels=GRADES))]),
  'cosent': Oracle(cosent, lambda rng: [(pair(rng), dict(labels=GRADES)), (pair(rng), dict(labels=GRADES, scale=2.0))]),
  'angle': Oracle(
    angle, lambda rng: [(pair(rng, d=6), dict(labels=GRADES)), (pair(rng, d=4), dict(labels=GRADES, scale=2.0))]
  ),
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

# kg


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
  return np.array(
    [sum(max(0, margin - p + n) for n in row) / len(row) for p, row in zip(positive, negatives, strict=True)]
  )


def self_adversarial(sg, positive, negatives, margin=9.0, adversarial_temperature=1.0):
  loss = []
  for p, row in zip(positive, negatives, strict=True):
    weights = sg(np.exp(log_softmax(adversarial_temperature * row)))
    false = sum(w * log_sigmoid(-n - margin) for w, n in zip(weights, row, strict=True))
    loss.append(-(log_sigmoid(margin + p) + false) / 2)
  return np.array(loss)


def scored(rng):
  return normal(rng, 4), normal(rng, 4, 3)


KG = {
  'margin_ranking': Oracle(
    margin_ranking,
    lambda rng: [(scored(rng), {}), (scored(rng), dict(margin=0.3))],
    sizes(lambda rng: (scored(rng), {})),
  ),
  'self_adversarial': Oracle(
    self_adversarial,
    lambda rng: [(scored(rng), {}), (scored(rng), dict(margin=0.5, adversarial_temperature=0.3))],
    sizes(lambda rng: (scored(rng), {})),
  ),
}


# words


def sgns(sg, centre, context, negatives):
  pairs = zip(centre, context, negatives, strict=True)
  return np.array([-log_sigmoid(u @ v) - sum(log_sigmoid(-(n @ v)) for n in noise) for v, u, noise in pairs])


def cbow(sg, context, target, negatives, mask=None):
  mask = np.ones(context.shape[:2], bool) if mask is None else mask
  h = np.array([sum(v[m]) / max(m.sum(), 1) for v, m in zip(context, mask, strict=True)])
  return sgns(sg, h, target, negatives)


def position_weighted_cbow(sg, context, position, target, negatives, mask=None):
  weighted = np.array([[v * p for v, p in zip(words, position, strict=True)] for words in context])
  return cbow(sg, weighted, target, negatives, mask)


def hierarchical_softmax(sg, h, nodes, turns):
  loss = np.zeros(len(h))
  for i in range(len(h)):
    for u, s in zip(nodes[i], turns[i], strict=True):
      loss[i] -= log_sigmoid(s * (u @ h[i])) if s else 0
  return loss


def skips(rng):
  return normal(rng, 4, 5), normal(rng, 4, 5), normal(rng, 4, 3, 5)


def window(rng):
  return normal(rng, 4, 3, 5), normal(rng, 4, 5), normal(rng, 4, 2, 5)


def placed(rng):
  context, target, negatives = window(rng)
  return context, normal(rng, 3, 5), target, negatives


TURNS = np.array([[1, -1, -1], [-1, 0, 0], [1, 1, 0], [-1, 1, 1]])
SOME = np.array([[1, 0, 1], [1, 1, 1], [0, 1, 0], [1, 1, 0]], bool)

WORDS = {
  'sgns': Oracle(sgns, lambda rng: [(skips(rng), {})], sizes(lambda rng: (skips(rng), {}))),
  'cbow': Oracle(
    cbow,
    lambda rng: [(window(rng), {}), (window(rng), dict(mask=SOME))],
    sizes(lambda rng: (window(rng), dict(mask=TOKENS)), lambda rng: (window(rng), {})),
  ),
  'position_weighted_cbow': Oracle(
    position_weighted_cbow,
    lambda rng: [(placed(rng), {}), (placed(rng), dict(mask=SOME))],
    sizes(lambda rng: (placed(rng), dict(mask=TOKENS))),
  ),
  'hierarchical_softmax': Oracle(
    hierarchical_softmax,
    lambda rng: [((normal(rng, 4, 5), normal(rng, 4, 3, 5)), dict(turns=TURNS))],
    sizes(lambda rng: ((normal(rng, 4, 5), normal(rng, 4, 3, 5)), dict(turns=TURNS))),
  ),
}


# control


def taco(sg, prediction, target, weight):
  target = sg(target)
  return np.array([-log_softmax([g @ weight @ h for h in target])[i] for i, g in enumerate(prediction)])


def allo(sg, start, end, first, second, duals, barrier=2.0):
  d = start.shape[1]

  def error(u, j, k):
    return sum(u[:, j] * sg(u[:, k])) / len(u) - (j == k)

  loss = 0.5 * sum(sum((start[:, k] - end[:, k]) ** 2) / len(start) for k in range(d))
  for j in range(d):
    for k in range(j + 1):
      e = error(first, j, k), error(second, j, k)
      loss += duals[j, k] * (e[0] + e[1]) / 2 + barrier * e[0] * e[1]
  return loss


def graph_drawing(sg, start, end, first, second, penalty=5.0, equal=False):
  d = start.shape[1]

  def error(u, j, k):
    return sum(u[:, j] * u[:, k]) / len(u) - (j == k)

  c = [1 if equal else d - k for k in range(d)]
  loss = sum(c[k] * sum((start[:, k] - end[:, k]) ** 2) / len(start) for k in range(d))
  return loss + penalty * sum(error(first, j, k) * error(second, j, k) for j in range(d) for k in range(d))


def spr(sg, prediction, target, mask=None):
  mask = np.ones(prediction.shape[:2], bool) if mask is None else mask
  target = sg(target)
  b, t, _ = prediction.shape
  return np.array([-sum(cos(prediction[i, x], target[i, x]) for x in range(t) if mask[i, x]) for i in range(b)])


def self_predictive(sg, prediction, target, mask=None):
  loss = ((prediction - sg(target)) ** 2).sum(-1)
  return loss if loss.ndim == 1 else share(loss, np.ones(loss.shape, bool) if mask is None else mask)


def musik(sg, logits, actions, policies):
  flat = [[v for row in x for v in row] for x in logits]
  width = logits.shape[2]
  return np.array([-log_softmax(x)[a * width + j] for x, a, j in zip(flat, actions, policies, strict=True)])


def act_jepa(sg, actions, action_targets, states, state_targets, weight=1.0, mask=None):
  mask = np.ones(actions.shape[:2], bool) if mask is None else mask
  action = share(np.abs(actions - action_targets).mean(-1), mask)
  return action + weight * share(np.abs(states - sg(state_targets)).mean(-1), mask)


def dynamo(sg, prediction, target, states, covariance_weight=0.04):
  b, t, d = prediction.shape
  target, covariance = sg(target), np.cov(states.reshape(-1, d).T)
  repeated = [covariance[j, k] ** 2 for j in range(d) for k in range(d) if j != k]
  dynamics = [sum(1 - cos(prediction[i, x], target[i, x]) for x in range(t)) / t for i in range(b)]
  return np.array(dynamics) + covariance_weight * sum(repeated) / len(repeated)


def double_dqn(sg, q_values, next_online, next_target, actions, rewards, discounts, delta=1.0):
  loss = []
  for i, a in enumerate(actions):
    best = max(range(q_values.shape[1]), key=lambda c: next_online[i, c])
    e = sg(rewards[i] + discounts[i] * next_target[i, best]) - q_values[i, a]
    loss.append(e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2))
  return np.array(loss)


def eigenfunctions(rng):
  return tuple(normal(rng, n, 3) for n in (6, 6, 8, 8))


def chunk(rng):
  return normal(rng, 4, 3, 2), normal(rng, 4, 3, 2), normal(rng, 4, 3, 5), normal(rng, 4, 3, 5)


def q_options(rng):
  return dict(
    actions=rng.integers(0, 3, 6),
    rewards=normal(rng, 6),
    discounts=np.float32([0.9, 0, 0.9, 0.9, 0, 0.9]),
  )


def triple(rng):
  return (*pair_of_tokens(rng), normal(rng, 4, 2, 3, 5))


CONTROL = {
  'taco': Oracle(
    taco,
    lambda rng: [((normal(rng, 6, 4), normal(rng, 6, 5), normal(rng, 4, 5)), {})],
    sizes(lambda rng: ((normal(rng, 6, 4), normal(rng, 6, 5), normal(rng, 4, 5, scale=1e-4)), {})),
  ),
  'allo': Oracle(
    allo,
    lambda rng: [
      (eigenfunctions(rng), dict(duals=np.tril(normal(rng, 3, 3)))),
      (eigenfunctions(rng), dict(duals=np.zeros((3, 3), np.float32), barrier=0.5)),
    ],
    sizes(lambda rng: (eigenfunctions(rng), dict(duals=np.tril(normal(rng, 3, 3))))),
  ),
  'graph_drawing': Oracle(
    graph_drawing,
    lambda rng: [(eigenfunctions(rng), {}), (eigenfunctions(rng), dict(penalty=2.0, equal=True))],
    sizes(lambda rng: (eigenfunctions(rng), {})),
  ),
  'spr': Oracle(spr, lambda rng: [(pair_of_tokens(rng), {}), (pair_of_tokens(rng), dict(mask=TOKENS))]),
  'self_predictive': Oracle(
    self_predictive,
    lambda rng: [(pair_of_tokens(rng), {}), (pair(rng), {}), (pair_of_tokens(rng), dict(mask=TOKENS))],
    sizes(lambda rng: (pair(rng), {}), lambda rng: (pair_of_tokens(rng), dict(mask=TOKENS & False))),
  ),
  'musik': Oracle(
    musik,
    lambda rng: [((normal(rng, 4, 3, 2),), dict(actions=np.array([0, 2, 1, 2]), policies=np.array([1, 0, 0, 1])))],
    sizes(lambda rng: ((normal(rng, 4, 3, 2),), dict(actions=np.arange(4) % 3, policies=np.arange(4) % 2))),
  ),
  'act_jepa': Oracle(
    act_jepa,
    lambda rng: [(chunk(rng), {}), (chunk(rng), dict(weight=0.3, mask=TOKENS))],
    sizes(lambda rng: (chunk(rng), {}), lambda rng: (chunk(rng), dict(mask=TOKENS & False))),
  ),
  'dynamo': Oracle(
    dynamo,
    lambda rng: [(triple(rng), {}), (triple(rng), dict(covariance_weight=1.0))],
    sizes(lambda rng: (triple(rng), {})),
  ),
  'double_dqn': Oracle(
    double_dqn,
    lambda rng: [
      (tuple(normal(rng, 6, 3, scale=2.0) for _ in range(3)), q_options(rng)),
      (tuple(normal(rng, 6, 3, scale=2.0) for _ in range(3)), q_options(rng) | dict(delta=0.3)),
    ],
    sizes(lambda rng: (tuple(normal(rng, 6, 3) for _ in range(3)), q_options(rng))),
  ),
}


# diffusion


def denoising_mse(sg, prediction, noise):
  return np.array(
    [sum((x - y) ** 2) / len(x) for x, y in zip(*(z.reshape(len(z), -1) for z in (prediction, noise)), strict=True)]
  )


def gaussian_kl(sg, mean, log_variance):
  loss = np.zeros(len(mean))
  for i, (row, v) in enumerate(zip(mean, log_variance, strict=True)):
    loss[i] = -0.5 * sum(1 + s - m**2 - math.exp(s) for m, s in zip(row, v, strict=True))
  return loss


def mmd(sg, z, prior):
  prior, d = sg(prior), z.shape[1]

  def kernel(x, y):
    return sum(math.exp(-(sum((u - v) ** 2) / d) / d) for u in x for v in y) / (len(x) * len(y))

  return kernel(prior, prior) + kernel(z, z) - 2 * kernel(prior, z)


def umd(sg, x_prediction, noise_prediction, x, noise, mask, clean, clean_weight=None):
  x_error, noise_error = ((x_prediction - x) ** 2).mean(-1), ((noise_prediction - noise) ** 2).mean(-1)
  r, noisy = clean.mean() if clean_weight is None else clean_weight, ~clean[:, None]
  diffusion = share(noise_error, ~mask & noisy) + share(x_error, mask & noisy)
  return r * share(x_error, mask & ~noisy) + (1 - r) * 0.5 * diffusion


def patches(rng):
  return tuple(normal(rng, 4, 3, 5) for _ in range(4))


CLEAN = np.array([0, 0, 1, 0], bool)

DIFFUSION = {
  'denoising_mse': Oracle(denoising_mse, lambda rng: [((normal(rng, 4, 3, 2), normal(rng, 4, 3, 2)), {})]),
  'gaussian_kl': Oracle(
    gaussian_kl,
    lambda rng: [((normal(rng, 4, 3), normal(rng, 4, 3)), {})],
    lambda rng: [((np.zeros((4, 3), np.float32), np.full((4, 3), v, np.float32)), {}) for v in (0, -1e4, 1e-20, 50)],
  ),
  'mmd': Oracle(mmd, lambda rng: [((normal(rng, 6, 3, scale=2.0), normal(rng, 8, 3)), {})]),
  'umd': Oracle(
    umd,
    lambda rng: [(patches(rng), dict(mask=TOKENS, clean=CLEAN, **r)) for r in ({}, dict(clean_weight=0.8))],
    sizes(
      lambda rng: (patches(rng), dict(mask=TOKENS, clean=CLEAN)),
      lambda rng: (patches(rng), dict(mask=TOKENS & False, clean=CLEAN | True)),
    ),
  ),
}

MORE = MULTIVIEW | SEQUENCE | DISTIL | PREFERENCE | LABELLED | KG | WORDS | CONTROL | DIFFUSION
