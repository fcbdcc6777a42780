"""Oracles of preference objectives, one pair at a time."""

import math

import numpy as np

from tests.oracles.oracle import Oracle
from tests.oracles.shared import log_sigmoid, normal, share, sizes, units


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


def slic(w, v, delta=1.0, likelihood_weight=1.0):
  return max(0.0, delta - w[0] + v[0]) - likelihood_weight * w[0]


def rrhf(w, v, ranking_weight=1.0):
  return ranking_weight * max(0.0, v[0] / v[2] - w[0] / w[2]) - w[0]


def kto_unpaired(sg, log_prob, reference, mismatched, mismatched_reference, desirable, beta=0.1, desirable_weight=1.0, undesirable_weight=1.0):
  """KTOTrainer.loss of HALOs: 1 - sigmoid of the reward over the reference point, or under it, each answer by itself."""
  sigma = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
  reference, policy, other = sg(reference), sg(mismatched).ravel(), sg(mismatched_reference).ravel()
  kl = max(sum(policy[i] - other[i] for i in range(len(policy))) / len(policy), 0.0)
  loss = np.zeros(len(log_prob))
  for i in range(len(log_prob)):
    reward = log_prob[i] - reference[i]
    if desirable[i]:
      loss[i] = desirable_weight * (1 - sigma(beta * (reward - kl)))
    else:
      loss[i] = undesirable_weight * (1 - sigma(beta * (kl - reward)))
  return loss


def kto(sg, chosen, rejected, rc, rr, mismatched, mismatched_reference, **options):
  """Pairs are two answers each, one of either kind."""
  answers, desirable = np.concatenate([chosen, rejected]), [True] * len(chosen) + [False] * len(rejected)
  each = kto_unpaired(sg, answers, np.concatenate([rc, rr]), mismatched, mismatched_reference, desirable, **options)
  return (each[: len(chosen)] + each[len(chosen) :]) / 2


def orpo(w, v, odds_weight=0.1):
  odds = [math.exp(x[0] / x[2]) / (1 - math.exp(x[0] / x[2])) for x in (w, v)]
  return -w[0] / w[2] - odds_weight * log_sigmoid(math.log(odds[0] / odds[1]))


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
  return Oracle(pairwise(loss), lambda rng: [(answers(rng), {}), (answers(rng), options)], sizes(lambda rng: (answers(rng), {})))


def apart(rng, below=False):
  """Log-probabilities of mismatched pairs, by the policy and by the reference; the divergence that they estimate is negative if asked."""
  policy, other = (-30 - 4 * rng.random((4, 2)).astype(np.float32) for _ in range(2))
  return policy, (policy + 0.5 if below else other - 2)


def marked(rng, **options):
  log_prob, _, reference, _ = answers(rng)
  return (log_prob, reference, *apart(rng)), dict(desirable=np.arange(5) % 3 > 0, **options)


def reference_free(loss, **options):
  return Oracle(
    pairwise(loss),
    lambda rng: [(answers(rng)[:2], lengths(rng)), (answers(rng), options | lengths(rng))],
    sizes(lambda rng: (answers(rng), lengths(rng))),
  )


def states(rng):
  return normal(rng, 3, 4, 5), normal(rng, 3, 2, 5), normal(rng, 3, 4, 5), normal(rng, 3, 2, 5)


ORACLES = {
  'bradley_terry': Oracle(bradley_terry, lambda rng: [((normal(rng, 5), normal(rng, 5)), {})]),
  'binary_preference': Oracle(binary_preference, lambda rng: [((normal(rng, 5), normal(rng, 5)), {})]),
  'goal_contrast': Oracle(goal_contrast, lambda rng: [(states(rng), {})]),
  'dpo': preference(dpo, beta=0.5),
  'cdpo': preference(cdpo, beta=0.5, epsilon=0.2),
  'robust_dpo': preference(robust_dpo, beta=0.5, epsilon=0.2),
  'ipo': preference(ipo, tau=0.5),
  'slic': preference(slic, delta=0.3, likelihood_weight=0.2),
  'kto': Oracle(
    kto,
    lambda rng: [
      ((*answers(rng), *apart(rng)), dict(beta=0.5, desirable_weight=1.3, undesirable_weight=0.8)),
      ((*answers(rng), *apart(rng, below=True)), {}),
    ],
  ),
  'kto_unpaired': Oracle(
    kto_unpaired,
    lambda rng: [marked(rng, beta=0.5, desirable_weight=1.3, undesirable_weight=0.8)],
    sizes(lambda rng: marked(rng)),
  ),
  'rrhf': reference_free(rrhf, ranking_weight=3.0),
  'orpo': reference_free(orpo, odds_weight=0.7),
  'simpo': reference_free(simpo, beta=3.0, gamma=0.4),
  'ppo_clip': Oracle(ppo_clip, lambda rng: [(written(rng), {}), ((*written(rng), rng.random((5, 4)) < 0.7), dict(clip=0.4))]),
}
