"""What oracles have in common: arithmetic of one number at a time, random arguments, degenerate ones."""

import math

import numpy as np

from tests.oracles.contrastive import pair, unit


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


def views(rng, b=5, v=3, d=4):
  x = rng.normal(size=(b, 1, d))
  return ((x + 0.7 * rng.normal(size=(b, v, d))).astype(np.float32),)


def pair_of_tokens(rng, b=4, n=3, d=5):
  q, k = pair(rng, b * n, d)
  return q.reshape(b, n, d), k.reshape(b, n, d)


def cross_entropies(logits, labels):
  """[... v] and [...] to [...]."""
  flat, index = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
  return np.array([-log_softmax(x)[y] for x, y in zip(flat, index, strict=True)]).reshape(labels.shape)


TOKENS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)


def log_sigmoid(x):
  return -softplus(-x)


def cos(x, y):
  return x @ y / math.sqrt((x @ x) * (y @ y))
