"""Multinomial logistic regression without a step size: the classifier inside transforms and analyses."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg as linalg
from jaxtyping import Float, Num

from jssl.types import Array


class Linear(NamedTuple):
  """An affine map of features."""

  weights: Array  # [d classes]
  intercept: Array  # [classes]


def logits(model: Linear, x: Float[Array, '*s d']) -> Float[Array, '*s classes']:
  """x W + b, [... classes] float32."""
  return jnp.matmul(x.astype(jnp.float32), model.weights, precision='highest') + model.intercept


def logistic(
  x: Float[Array, 'n d'],
  y: Float[Array, 'n classes'],
  weight: Num[Array, ' n'] | None = None,
  *,
  l2: float | Float[Array, ''] = 1e-3,
  steps: int = 500,
) -> Linear:
  """Weighted multinomial logistic regression; the intercepts go unpenalised.

  min over W, b of  sum_i w_i CE(softmax(x_i W + b), y_i) / sum_i w_i  +  l2 / 2 |W|^2

  The Hessian is at most 1/2 (I - 11'/classes) (x) sum_i w_i x_i x_i', a matrix of [d+1 d+1] that never changes: one
  Cholesky factor serves all steps, no line search is needed, and scaling or rotating the features changes nothing but
  the penalty. Nesterov's momentum speeds it up, restarted where it points uphill.

  Args:
    x: [n d].
    y: [n classes], one-hot or any distribution.
    weight: [n], 0 leaves an example out; all ones by default.
    l2: penalty, above 0. It may be traced.
    steps: at most; fewer where the step has become negligible.

  Returns:
    Linear, float32. The columns of W sum to 0 over the classes.

  Reference: Böhning, Multinomial logistic regression algorithm, 1992, doi:10.1007/BF00048682, for the bound;
    O'Donoghue, Candès, 2012, arXiv:1204.3982, section 3.2, for the restart by gradient.
  """
  x, y = x.astype(jnp.float32), y.astype(jnp.float32)
  w = jnp.ones(len(x)) if weight is None else weight.astype(jnp.float32)
  w = w / jnp.maximum(jnp.sum(w), 1e-30)
  x1 = jnp.concatenate([x, jnp.ones((len(x), 1))], 1)
  penalty = jnp.full(x1.shape[1], l2, jnp.float32).at[-1].set(0.0)
  bound = 0.5 * jnp.matmul(x1.T * w, x1, precision='highest')
  ridge = 1e-6 * jnp.trace(bound) / len(bound) + 1e-12  # keeps the factor finite; moves no minimum
  factor = linalg.cho_factor(bound + jnp.diag(penalty + ridge))

  def grad(p):
    residual = (jax.nn.softmax(jnp.matmul(x1, p, precision='highest')) - y) * w[:, None]
    return jnp.matmul(x1.T, residual, precision='highest') + penalty[:, None] * p

  def more(carry):
    step, _, _, _, moved = carry
    return (step < steps) & (moved > 1e-5)

  def move(carry):
    step, p, ahead, momentum, _ = carry
    g = grad(ahead)
    new = ahead - linalg.cho_solve(factor, g)
    momentum = jnp.where(jnp.sum(g * (new - p)) > 0, 1.0, momentum)
    after = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
    push = (momentum - 1) / after
    moved = jnp.max(jnp.abs(new - p)) / (1e-3 + jnp.max(jnp.abs(new)))
    return step + 1, new, new + push * (new - p), after, moved

  start = jnp.zeros((x1.shape[1], y.shape[1]))
  _, p, _, _, _ = jax.lax.while_loop(more, move, (0, start, start, jnp.float32(1), jnp.float32(jnp.inf)))
  return Linear(p[:-1], p[-1])
