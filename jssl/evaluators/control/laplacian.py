"""How well features recover the eigenvectors of a Laplacian."""

import jax
import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Key


@protocol('1', needs=('info.environment', 'nets.{encoder}', 'nets.{head}'), raw=False)
def laplacian(subject: Subject, key: Key | None = None, *, encoder: str = 'backbone', head: str = 'head') -> dict[str, float]:
  """The `laplacian` protocol: the mean |cosine| between the learned functions and the eigenvectors of the environment's Laplacian, in order.

  Args:
    subject: its data have an environment with `states` and their `transition` matrix.
    key: for observations, if they are random.
    head: network from pooled features to d functions; the k-th is compared with the k-th eigenvector.

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
