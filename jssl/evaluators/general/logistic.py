"""Logistic regression on frozen features to its optimum, for data that fit on a device."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import Frozen, holdout
from jssl.evaluators.figures import Items, accuracy
from jssl.evaluators.general.probe import standardizer
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.metrics.ranking import hits
from jssl.types import Array, Key

BLOCK = 64 * 2**20  # bytes of logits held at a time: a larger loss is summed over blocks of examples
LARGE = 2**30  # bytes above which the memory of a probe is logged
HISTORY = 10  # pairs that L-BFGS keeps
L2 = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)


class Fit(NamedTuple):
  """A fitted logistic regression."""

  weights: Array  # [d + 1, classes], the intercepts in the last row
  loss: Array  # the objective, including the penalty
  steps: Array  # evaluations of the objective


@partial(jax.jit, static_argnames='history')
def logistic_regression(
  x: Array,
  y: Array,
  weight: Array,
  l2: Array | float,
  start: Array,
  *,
  history: int = HISTORY,
  tolerance: float = 3e-4,
  steps: int = 400,
) -> Fit:
  """Multinomial logistic regression by full-batch L-BFGS; the intercepts are not penalised.

  min over W, b of  sum_i w_i CE(softmax(W'x_i + b), y_i) / sum_i w_i  +  l2 / 2 |W|^2

  Each step evaluates value and gradient once: a full step is taken if it decreases the objective enough (Armijo, 1e-4), otherwise it is halved
  and retried. This keeps the program small, so it compiles in a second; l2 is traced, so a path of penalties shares the program. scikit-learn's
  C is 1 / (n l2). If the logits are larger than BLOCK, loss and gradient are summed over blocks of examples, so that no array other than x has
  the size of the data.

  Args:
    x: [n d], standardised.
    y: [n], class indices, or [n classes], any distribution.
    weight: [n], 0 excludes an example.
    l2: the penalty.
    start: [d + 1, classes], initial weights.
    history: pairs that L-BFGS keeps.
    tolerance: gradient norm at which to stop.
    steps: maximal number of evaluations.

  Returns:
    Fit.

  Reference: Nocedal, Wright, Numerical Optimization, 2nd ed., 2006, Algorithms 7.4 and 7.5.
  """
  weight = weight / jnp.sum(weight)

  classes = start.shape[1]
  size = min(rows_at_once(classes), len(x))

  def sums(p, x, y, weight):
    y = jax.nn.one_hot(y, classes) if y.ndim == 1 else y
    logits = jnp.dot(x, p[:-1], precision='highest') + p[-1]
    logp = jax.nn.log_softmax(logits)
    residual = (jnp.exp(logp) - y) * weight[:, None]
    return -jnp.sum(weight * jnp.sum(logp * y, 1)), jnp.dot(x.T, residual, precision='highest'), jnp.sum(residual, 0)

  def block(p, total, first):
    at = jnp.minimum(first, len(x) - size)  # the last block overlaps the previous one, and skips the rows already counted
    part = [jax.lax.dynamic_slice_in_dim(array, at, size) for array in (x, y, weight)]
    part[2] = jnp.where(at + jnp.arange(size) < first, 0.0, part[2])
    return jax.tree.map(jnp.add, total, sums(p, *part)), None

  def value_and_grad(p):
    if size == len(x):
      value, grad, intercepts = sums(p, x, y, weight)
    else:
      nothing = jnp.zeros(()), jnp.zeros(p[:-1].shape), jnp.zeros(classes)
      (value, grad, intercepts), _ = jax.lax.scan(partial(block, p), nothing, jnp.arange(0, len(x), size))
    return value + 0.5 * l2 * jnp.sum(p[:-1] ** 2), jnp.concatenate([grad + l2 * p[:-1], intercepts[None]])

  def descent(g, s, u, rho):  # the two-loop recursion; an empty slot has rho = 0 and has no effect
    def back(q, pair):
      s_i, u_i, rho_i = pair
      alpha = rho_i * jnp.vdot(s_i, q)
      return q - alpha * u_i, alpha

    def forth(q, pair):
      s_i, u_i, rho_i, alpha = pair
      return q + (alpha - rho_i * jnp.vdot(u_i, q)) * s_i, None

    q, alpha = jax.lax.scan(back, g, (s, u, rho), reverse=True)
    q *= jnp.where(rho[-1] > 0, 1 / jnp.maximum(rho[-1] * jnp.vdot(u[-1], u[-1]), 1e-30), 1.0)
    return -jax.lax.scan(forth, q, (s, u, rho, alpha))[0]

  def body(carry):
    i, p, f, g, direction, t, pairs = carry
    trial = p + t * direction
    f_trial, g_trial = value_and_grad(trial)
    taken = f_trial <= f + 1e-4 * t * jnp.vdot(g, direction)
    s, u = trial - p, g_trial - g
    curvature = jnp.vdot(s, u)
    keep = taken & (curvature > 1e-10 * jnp.vdot(u, u))
    new = s, u, 1 / jnp.where(keep, curvature, 1.0)
    pairs = jax.tree.map(lambda old, n: jnp.where(keep, jnp.concatenate([old[1:], n[None]]), old), pairs, new)
    p, f, g = (jnp.where(taken, a, b) for a, b in ((trial, p), (f_trial, f), (g_trial, g)))
    direction = jax.lax.cond(taken, lambda: descent(g, *pairs), lambda: direction)
    return i + 1, p, f, g, direction, jnp.where(taken, 1.0, t / 2), pairs

  def going(carry):
    i, _, _, g, _, t, _ = carry
    return (i < steps) & (jnp.linalg.norm(g) > tolerance) & (t > 1e-6)

  f, g = value_and_grad(start)
  pairs = jnp.zeros((history, *start.shape)), jnp.zeros((history, *start.shape)), jnp.zeros(history)
  i, p, f, *_ = jax.lax.while_loop(going, body, (0, start, f, g, -g, 1.0, pairs))
  return Fit(p, f, i)


def rows_at_once(classes: int) -> int:
  """Number of examples whose logits take BLOCK bytes."""
  return max(BLOCK // (4 * classes), 1)


def memory(n: int, d: int, classes: int) -> int:
  """Bytes of device memory that `logistic_regression` needs for n class indices and features [n d]; for the log and the memory check."""
  rows = min(rows_at_once(classes), n)
  block = rows * (3 * classes + (0 if rows == n else d))  # logits, their softmax, the residual, and the features if they are split into blocks
  return 4 * (n * (d + 2) + block + (2 * HISTORY + 12) * (d + 1) * classes)


@protocol('2', needs=(*TRAIN, *TEST), on_features=True, fits=needs.held_out)
def logistic(data: Frozen, key: Key | None = None, *, l2: Sequence[float] = L2) -> dict[str, float]:
  """The `logistic` protocol: logistic regression on standardised features, with the penalty chosen on the validation split.

  Features are standardised by the statistics of train. The path runs from the strongest penalty to the weakest, each fit starting from the
  previous solution, and stops after three penalties in a row that are worse on validation than the best. The regression is then fitted to all
  of train with the best penalty, the strongest in case of ties, to a smaller tolerance, and the test split is evaluated once.

  Args:
    data: features and labels.
    key: unused; the protocol is deterministic.
    l2: candidate penalties, relative to the mean cross entropy.

  Returns:
    top1 (with top1_low, top1_high), top1_validation, and the chosen l2 in `chosen`.

  Raises:
    ValueError: if the device has too little memory.
  """
  afford(*data.train_x.shape, data.classes)
  mean, scale = standardizer(data.train_x)
  held = holdout(data.train_y)
  x = data.train_x - mean
  x *= scale
  held_x, x, y = x[held], jnp.asarray(x), jnp.asarray(data.train_y)
  fit = jnp.asarray(~held, jnp.float32)
  start = jnp.zeros((x.shape[1] + 1, data.classes))
  path, right = sorted(map(float, l2), reverse=True), []
  fits = []
  for penalty in path:
    start = logistic_regression(x, y, fit, penalty, start, tolerance=1e-3).weights
    fits.append(start)
    right.append(float(_right(held_x, data.train_y[held], start).mean()))
    if max(right[-3:]) < max(right):
      break
  best = int(np.argmax(right))
  weights = logistic_regression(x, y, jnp.ones_like(fit), path[best], fits[best], tolerance=3e-4).weights
  found = _right((data.test_x - mean) * scale, data.test_y, weights)
  return {
    **accuracy(found), 'top1_validation': right[best], 'chosen': {'l2': path[best]}, 'items': {'top1': Items('mean', (found,))},
  }  # fmt: skip


def afford(n: int, d: int, classes: int) -> None:
  """Logs the memory that a large probe needs.

  Raises:
    ValueError: if the device has less.
  """
  needed, gib = memory(n, d, classes), 2**30
  known = (jax.local_devices()[0].memory_stats() or {}).get('bytes_limit')
  told = f'logistic: {n} examples of {d} features and {classes} classes need {needed / gib:.3g} GiB of memory on one device'
  if known and needed > known:
    raise ValueError(f'{told}, which has {known / gib:.3g} GiB; take linear, knn or fewshot instead, or a subset of the training examples')
  if needed > LARGE:
    logging.getLogger('jssl').warning('%s', told)


def _right(x: np.ndarray, y: np.ndarray, weights: Array) -> np.ndarray:
  """Whether each example [n d] is classified correctly, as defined by `hits`."""
  rows = rows_at_once(weights.shape[1])
  return np.concatenate([hits(_logits(x[i : i + rows], weights), y[i : i + rows], 1e-6) for i in range(0, len(x), rows)])


@jax.jit
def _logits(x, weights):
  return jnp.dot(x, weights[:-1], precision='highest') + weights[-1]
