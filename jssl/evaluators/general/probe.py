"""A probe from few labels, and the standardisation of frozen features."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import Frozen
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.metrics.ranking import hits
from jssl.types import Key


def standardizer(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Mean [d] and 1 / standard deviation [d]; 0 for a feature that hardly varies, which removes it."""
  of = lambda statistic: np.concatenate([statistic(x[:, i : i + 64], 0, dtype=np.float64) for i in range(0, x.shape[1], 64)])
  mean, std = of(np.mean), of(np.std)  # some features at a time, since NumPy copies them to float64
  return mean.astype(np.float32), inverse(std)


def inverse(std: np.ndarray) -> np.ndarray:
  """1 / standard deviation [d], float32; 0 for a feature that hardly varies."""
  alive = std > 1e-6 * max(std.max(), 1e-30)
  return np.where(alive, 1 / np.where(alive, std, 1.0), 0.0).astype(np.float32)


@protocol('2', needs=(*TRAIN, *TEST), on_features=True, fits=needs.classes)
def fewshot(
  data: Frozen,
  key: Key | None = None,
  *,
  shots: Sequence[int] = (1, 5, 10),
  seeds: Sequence[int] = (0, 1, 2, 3, 4),
  ridge: float = 1.0,
) -> dict[str, float]:
  """The `fewshot` protocol: ridge regression to class targets of -1 and 1 from a few labelled examples per class, in closed form.

  W = X' (X X' + ridge d I)^-1 (Y - mean Y),  Y in {-1, 1}, X standardised on these examples

  The mean of the diagonal of X X' is d, so one ridge serves every width; the larger of the two systems, n x n or d x d, is never formed. The
  draws depend on the seeds alone, so every representation is evaluated on the same examples, and no labels beyond the shots are used.

  Args:
    data: features and labels.
    key: unused; the seeds are fixed by the protocol.
    shots: examples per class (all, if a class has fewer).
    seeds: one for each draw.
    ridge: penalty on the sum of squares per feature; fixed.

  Returns:
    top1_{k}shot, the mean over the draws, and top1_{k}shot_std, their standard deviation, for each k.

  Reference: big_vision, evaluators/fewshot_lsr.py and configs/common_fewshot.py (l2 = 2^10, shots 1, 5, 10, 25, 3 seeds). There the penalty is
    1024 for any width, equal to a ridge of 1 at d = 1024, and the bias is a constant feature of 100, which is hardly penalised; here, centring
    excludes it from the penalty.
  """
  test_x = jnp.asarray(data.test_x)
  draws = [_draw(data.train_y, max(shots), seed) for seed in seeds]
  figures = {}
  for k in shots:
    found = [_ridge(data.train_x[r], _signs(data.train_y[r], data.classes), i < k, test_x, ridge) for r, i in draws]
    right = np.stack([hits(scores, data.test_y, 1e-6).mean() for scores in found])
    figures |= {f'top1_{k}shot': float(right.mean()), f'top1_{k}shot_std': float(right.std())}
  return figures


def _draw(labels: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
  # rows of k examples per class, and the index of each within its class, so that fewer shots are a subset of more
  random = np.random.RandomState(seed)
  rows = [random.permutation(np.flatnonzero(labels == c))[:k] for c in np.unique(labels)]
  return np.concatenate(rows), np.concatenate([np.arange(len(r)) for r in rows])


def _signs(labels: np.ndarray, classes: int) -> np.ndarray:
  return np.where(np.arange(classes) == labels[:, None], 1, -1).astype(np.float32)


@jax.jit
def _ridge(x, y, used, test_x, ridge):
  used = used.astype(jnp.float32)[:, None]  # unused rows become zeros: every k shares one program
  n, d = x.shape
  mean = jnp.sum(used * x, 0) / jnp.sum(used)
  std = jnp.sqrt(jnp.sum(used * (x - mean) ** 2, 0) / jnp.sum(used))
  alive = std > 1e-6 * jnp.maximum(jnp.max(std), 1e-30)
  scale = jnp.where(alive, 1 / jnp.where(alive, std, 1.0), 0.0)
  bias = jnp.sum(used * y, 0) / jnp.sum(used)
  x, y, test_x = used * (x - mean) * scale, used * (y - bias), (test_x - mean) * scale
  l2 = ridge * d
  with jax.default_matmul_precision('highest'):
    if n < d:
      w = x.T @ jnp.linalg.solve(x @ x.T + l2 * jnp.eye(n), y)
    else:
      w = jnp.linalg.solve(x.T @ x + l2 * jnp.eye(d), x.T @ y)
    return test_x @ w + bias
