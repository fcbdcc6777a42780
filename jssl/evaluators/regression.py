"""Linear regression from frozen features: how much of the true state they hold, and how near they are to known functions."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import extract, finite
from jssl.evaluators.probe import standardizer
from jssl.evaluators.subject import Subject
from jssl.types import Array, Key

L2 = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def ridge(x: np.ndarray, y: np.ndarray, *, l2: Sequence[float] = L2) -> Callable[[Array], Array]:
  """Linear regression with the penalty that does best on the last fifth of the rows, fitted to all of them then.

  min_W |y - mean y - z W|^2 / n + l2 |W|^2,  z = x standardised

  Args:
    x: [n d] features.
    y: [n k] what they should tell.
    l2: penalties to choose from.

  Returns:
    [m d] -> [m k].
  """
  mean, scale = standardizer(x)
  z, cut = ((x - mean) * scale).astype(np.float64), len(x) - len(x) // 5
  centre = y.mean(0)

  def solve(z, y, penalty):
    return np.linalg.solve(z.T @ z / len(z) + penalty * np.eye(z.shape[1]), z.T @ (y - centre) / len(z))

  missed = [np.mean((y[cut:] - centre - z[cut:] @ solve(z[:cut], y[:cut], penalty)) ** 2) for penalty in l2]
  w, offset = jnp.asarray(solve(z, y, l2[int(np.argmin(missed))]), jnp.float32), jnp.asarray(centre, jnp.float32)
  return lambda x: (x - mean) * scale @ w + offset


def regression(subject: Subject, key: Key | None = None, *, column: str = 'truth', l2: Sequence[float] = L2) -> dict[str, float]:
  """Protocol regression: R^2 of a linear regression from features to a column of numbers, on the test split.

  R^2 = 1 - sum |y - y^|^2 / sum |y - mean y|^2 of each number, and the mean of these.

  Args:
    subject: of data with `column`, numbers of any shape an example.
    key: not used, there is no chance in it.
    column: what is told.
    l2: penalties to choose from.

  Returns:
    r2, the mean over the numbers, and r2_least, that of the one told worst.
  """
  (x, y), (test_x, test_y) = (extract(subject.represent, subject.data.splits[s], label=column) for s in ('train', 'test'))
  y, test_y = y.reshape(len(y), -1), test_y.reshape(len(test_y), -1)
  told = np.asarray(ridge(x, y, l2=l2)(test_x))
  r2 = 1 - np.sum((test_y - told) ** 2, 0) / np.maximum(np.sum((test_y - test_y.mean(0)) ** 2, 0), 1e-12)
  return {'r2': float(r2.mean()), 'r2_least': float(r2.min())}


def laplacian(subject: Subject, key: Key | None = None, *, encoder: str = 'backbone', head: str = 'head') -> dict[str, float]:
  """Protocol laplacian: the mean |cosine| of the learned functions to the eigenvectors of the environment's Laplacian, in order.

  Args:
    subject: of data whose environment knows its `states` and their `transition` matrix.
    key: of observations, where they are drawn.
    head: network from pooled features to d functions; the k-th is held against the k-th eigenvector.

  Returns:
    cosine, the mean over k, and cosine_0, cosine_1, ... of each.

  Reference: Gomez, Bowling, Machado 2024, arXiv:2310.10833, section 5.
  """
  environment = subject.data.info['environment']
  states, transition = environment.facts['states'], environment.facts['transition']
  seen = jax.vmap(environment.observe, (0, None))(states, jax.random.key(0) if key is None else key)
  u = finite(subject.networks[head](subject.networks[encoder](seen).pooled), f'the outputs of {head!r}').astype(np.float64)
  vectors = np.linalg.eigh(np.eye(len(transition)) - transition)[1][:, : u.shape[1]]
  cosine = np.abs(np.sum(u * vectors, 0)) / np.maximum(np.linalg.norm(u, axis=0), 1e-12)
  return {'cosine': float(cosine.mean()), **{f'cosine_{k}': float(c) for k, c in enumerate(cosine)}}
