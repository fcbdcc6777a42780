"""Evaluation by ridge regression to columns."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import extract
from jssl.evaluators.general.probe import standardizer
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Array, Key


@protocol('1', needs=('{fit}.{inputs}', '{fit}.{column}', 'test.{inputs}', 'test.{column}'))
def labelled_regression(subject: Subject, key: Key, *, fit: str = 'labelled', column: str = 'truth') -> dict[str, float]:
  """The `labelled_regression` protocol: as `regression`, fitted to a separate split.

  Args:
    subject: its data have the splits `fit` and 'test' with the column.
    key: unused.
    fit: the split that the regression is fitted to.
    column: the target.

  Returns:
    As for `regression`.
  """
  splits = {'train': subject.data.splits[fit], 'test': subject.data.splits['test']}
  return regression(Subject(subject.data._replace(splits=splits), subject.represent), key, column=column)


L2 = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def ridge(x: np.ndarray, y: np.ndarray, *, l2: Sequence[float] = L2) -> Callable[[Array], Array]:
  """Linear regression with the penalty that is best on the last fifth of the rows, then fitted to all rows.

  min_W |y - mean y - z W|^2 / n + l2 |W|^2,  z = x standardised

  Args:
    x: [n d] features.
    y: [n k] targets.
    l2: candidate penalties.

  Returns:
    The fitted function, [m d] -> [m k].
  """
  mean, scale = standardizer(x)
  z, cut = ((x - mean) * scale).astype(np.float64), len(x) - len(x) // 5
  centre = y.mean(0)

  def solve(z, y, penalty):
    return np.linalg.solve(z.T @ z / len(z) + penalty * np.eye(z.shape[1]), z.T @ (y - centre) / len(z))

  missed = [np.mean((y[cut:] - centre - z[cut:] @ solve(z[:cut], y[:cut], penalty)) ** 2) for penalty in l2]
  w, offset = jnp.asarray(solve(z, y, l2[int(np.argmin(missed))]), jnp.float32), jnp.asarray(centre, jnp.float32)
  return lambda x: (x - mean) * scale @ w + offset


@protocol('1', needs=('train.{inputs}', 'train.{column}', 'test.{inputs}', 'test.{column}'))
def regression(subject: Subject, key: Key | None = None, *, column: str = 'truth', l2: Sequence[float] = L2) -> dict[str, float]:
  """The `regression` protocol: R^2 of a linear regression from features to a numeric column, on the test split.

  R^2 = 1 - sum |y - y^|^2 / sum |y - mean y|^2 for each component, and the mean over components.

  Args:
    subject: its data have `column`, of any shape per example.
    key: unused; the protocol is deterministic.
    column: the target.
    l2: candidate penalties.

  Returns:
    r2, the mean over components, and r2_least, the minimum.
  """
  (x, y), (test_x, test_y) = (extract(subject.represent, subject.data.splits[s], label=column) for s in ('train', 'test'))
  y, test_y = y.reshape(len(y), -1), test_y.reshape(len(test_y), -1)
  told = np.asarray(ridge(x, y, l2=l2)(test_x))
  r2 = 1 - np.sum((test_y - told) ** 2, 0) / np.maximum(np.sum((test_y - test_y.mean(0)) ** 2, 0), 1e-12)
  return {'r2': float(r2.mean()), 'r2_least': float(r2.min())}
