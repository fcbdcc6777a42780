"""Oracles of the objectives of control, as loops over steps."""

import numpy as np

from tests.oracles.contrastive import pair
from tests.oracles.oracle import Oracle
from tests.oracles.shared import TOKENS, cos, log_softmax, normal, pair_of_tokens, share, sizes


def taco(sg, prediction, target, weight, mask=None):
  target = sg(target)
  loss = np.array([-log_softmax([g @ weight @ h for h in target])[i] for i, g in enumerate(prediction)])
  return loss if mask is None else np.array([x * len(loss) / max(mask.sum(), 1) if m else 0.0 for x, m in zip(loss, mask, strict=True)])


def reward_error(sg, prediction, target, mask=None):
  loss = [(p - t) ** 2 for p, t in zip(prediction.ravel(), target, strict=True)]
  if mask is None:
    return np.array(loss)
  return np.array([x * len(loss) / max(mask.sum(), 1) if m else 0.0 for x, m in zip(loss, mask, strict=True)])


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


def linear_self_predictive(sg, z, actions, target, online=False):
  inputs = np.concatenate([z, actions], 1)
  solution = sg(np.linalg.lstsq(inputs, target, rcond=None)[0])
  target = target if online else sg(target)
  return np.array([0.5 * sum((x @ solution - t) ** 2) for x, t in zip(inputs, target, strict=True)])


def musik(sg, logits, actions, policies):
  flat = [[v for row in x for v in row] for x in logits]
  width = logits.shape[2]
  return np.array([-log_softmax(x)[a * width + j] for x, a, j in zip(flat, actions, policies, strict=True)])


def act_jepa(sg, actions, action_targets, states, state_targets, state_weight=1.0, mask=None):
  mask = np.ones(actions.shape[:2], bool) if mask is None else mask
  action = share(np.abs(actions - action_targets).mean(-1), mask)
  return action + state_weight * share(np.abs(states - sg(state_targets)).mean(-1), mask)


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


def transitions(rng):
  return normal(rng, 8, 2), np.eye(3, dtype=np.float32)[rng.integers(0, 3, 8)], normal(rng, 8, 2)


def q_options(rng):
  return dict(
    actions=rng.integers(0, 3, 6),
    rewards=normal(rng, 6),
    discounts=np.float32([0.9, 0, 0.9, 0.9, 0, 0.9]),
  )


def triple(rng):
  return (*pair_of_tokens(rng), normal(rng, 4, 2, 3, 5))


ORACLES = {
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
  'linear_self_predictive': Oracle(
    linear_self_predictive,
    lambda rng: [(transitions(rng), {}), (transitions(rng), dict(online=True))],
    sizes(lambda rng: (transitions(rng), {})),
  ),
  'musik': Oracle(
    musik,
    lambda rng: [((normal(rng, 4, 3, 2),), dict(actions=np.array([0, 2, 1, 2]), policies=np.array([1, 0, 0, 1])))],
    sizes(lambda rng: ((normal(rng, 4, 3, 2),), dict(actions=np.arange(4) % 3, policies=np.arange(4) % 2))),
  ),
  'reward_error': Oracle(
    reward_error,
    lambda rng: [((normal(rng, 5, 1), normal(rng, 5)), {}), ((normal(rng, 5), normal(rng, 5)), dict(mask=np.arange(5) % 2 == 0))],
    sizes(lambda rng: ((normal(rng, 4), normal(rng, 4)), {}), lambda rng: ((normal(rng, 4), normal(rng, 4)), dict(mask=np.zeros(4, bool)))),
  ),
  'act_jepa': Oracle(
    act_jepa,
    lambda rng: [(chunk(rng), {}), (chunk(rng), dict(state_weight=0.3, mask=TOKENS))],
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
