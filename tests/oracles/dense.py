"""Oracles of the objectives on places: matches are found one by one."""

import math

import numpy as np

from tests.oracles.contrastive import table, unit
from tests.oracles.oracle import Oracle
from tests.oracles.redundancy import vicreg


def dense_info_nce(sg, q, k, q_features, k_features, negatives, temperature=0.2):
  f, g = sg(q_features), sg(k_features)
  losses = []
  for i in range(len(q)):
    total = 0.0
    for s in range(q.shape[1]):
      cosine = [unit(f[i])[s] @ unit(g[i])[t] for t in range(k.shape[1])]
      positive = sg(unit(k[i])[int(np.argmax(cosine))])
      anchor = unit(q[i])[s]
      logits = [anchor @ positive / temperature, *(anchor @ n / temperature for n in sg(unit(negatives)))]
      total += math.log(sum(math.exp(x - max(logits)) for x in logits)) + max(logits) - logits[0]
    losses.append(total / q.shape[1])
  return np.array(losses)


def vicreg_local(
  sg, q, k, q_places, k_places, matches=20, back=4, feature_matches=None, feature_back=None,
  invariance_weight=25.0, variance_weight=25.0, covariance_weight=0.5,
):  # fmt: skip
  def pairs(x, y, count):
    """For each image the places of x with the nearest ones of y, by their distances, in raster order."""
    found = []
    for a, b in zip(sg(x), sg(y), strict=True):
      distances = [[math.dist(s, t) for t in b] for s in a]
      nearest = [int(np.argmin(row)) for row in distances]
      kept = sorted(range(len(a)), key=lambda s: min(distances[s]))[:count]
      found.append([(s, nearest[s]) for s in sorted(kept)])
    return found

  def way(x, y, chosen):
    total = 0.0
    for p in range(len(chosen[0])):
      one = np.array([x[i][chosen[i][p][0]] for i in range(len(x))])
      other = np.array([y[i][chosen[i][p][1]] for i in range(len(x))])
      total += vicreg(sg, one, other, invariance_weight, variance_weight, covariance_weight)
    return total / len(chosen[0])

  total = 0.0
  for x, y, there, again in ((q_places, k_places, matches, back), (q, k, feature_matches, feature_back)):
    total += way(q, k, pairs(x, y, there)) / 2 + way(k, q, pairs(y, x, again)) / 2
  return total


def maps(rng, b=6, n=5, m=4, d=3):
  return tuple(rng.normal(size=(b, count, d)).astype(np.float32) for count in (n, m))


def features(rng, b=6, n=5, m=4, e=4):
  return dict(zip(('q_features', 'k_features'), maps(rng, b, n, m, e), strict=True))


def places(rng, b=6, n=5, m=4):
  return dict(zip(('q_places', 'k_places'), maps(rng, b, n, m, 2), strict=True))


def degenerate(rng, **others):
  """Zero, equal, huge and tiny places, equal views, a lonely image."""
  (q, k), where = maps(rng, 4, 5, 5), dict(**features(rng, 4, 5, 5), **places(rng, 4, 5, 5))
  where = {name: x for name, x in where.items() if ('features' in name) == ('negatives' in others)}
  forms = (lambda x: 0 * x, lambda x: x[:, :1] + 0 * x, lambda x: x[:1] + 0 * x, lambda x: np.float32(1e4) * x, lambda x: np.float32(1e-20) * x)
  cases = [((form(q), form(k)), {**{name: form(x) for name, x in where.items()}, **others}) for form in forms]
  alone = {name: x[:1] for name, x in where.items()}
  return [*cases, ((q, q), {**where, **others}), ((q[:1], k[:1]), {**alone, **others})]


ORACLES = {
  'dense_info_nce': Oracle(
    dense_info_nce,
    lambda rng: [
      (maps(rng), dict(**features(rng), negatives=table(rng, 7, 3))),
      (maps(rng, 3, 2, 6), dict(**features(rng, 3, 2, 6), negatives=table(rng, 2, 3), temperature=0.7)),
    ],
    lambda rng: degenerate(rng, negatives=table(rng, 7, 3)),
  ),
  'vicreg_local': Oracle(
    vicreg_local,
    lambda rng: [
      (maps(rng), dict(**places(rng), matches=3, back=2)),
      (
        maps(rng, 5, 4, 6),
        dict(
          **places(rng, 5, 4, 6),
          matches=2,
          back=6,
          feature_matches=3,
          feature_back=1,
          invariance_weight=1.0,
          variance_weight=2.0,
          covariance_weight=3.0,
        ),
      ),
    ],
    degenerate,
  ),
}
