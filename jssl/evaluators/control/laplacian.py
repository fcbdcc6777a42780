"""How well features recover the eigenvectors and eigenvalues of a Laplacian."""

import jax
import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Key


@protocol('2', needs=('info.environment', 'nets.{encoder}', 'nets.{head}', 'memory.{duals} if duals'), raw=False)
def laplacian(
  subject: Subject,
  key: Key | None = None,
  *,
  encoder: str = 'backbone',
  head: str = 'head',
  duals: str | None = None,
  discount: float = 0.8,
) -> dict[str, float]:
  """The `laplacian` protocol: the mean |cosine| between the learned functions and the eigenvectors of the environment's Laplacian, in order.

  Args:
    subject: its data have an environment with `states` and their `transition` matrix P.
    key: for observations, if they are random.
    head: network from pooled features to d functions; the k-th is compared with the k-th eigenvector.
    duals: the memory of the dual variables of `allo`, from which eigenvalues are read; None for no eigenvalues.
    discount: that of the view `geometric_future` in training, which determines the Laplacian of which these are eigenvalues.

  Returns:
    cosine, the mean over k, and cosine_0, cosine_1, ... of each. With `duals`, eigenvalue_error: sum_k |-beta_kk/2 - lambda_k| / sum_k lambda_k
    for the eigenvalues lambda of I - E[P^n], with n the number of steps between the states of a pair.

  Reference: Gomez, Bowling, Machado 2024, arXiv:2310.10833, sections 4 and 5.
  """
  environment = subject.data.info['environment']
  states, transition = environment.facts['states'], environment.facts['transition']
  seen = jax.vmap(environment.observe, (0, None))(states, jax.random.key(0) if key is None else key)
  u = finite(subject.networks[head](subject.networks[encoder](seen).pooled), f'the outputs of {head!r}').astype(np.float64)
  values, vectors = (x[..., : u.shape[1]] for x in np.linalg.eigh(np.eye(len(transition)) - transition))
  cosine = np.abs(np.sum(u * vectors, 0)) / np.maximum(np.linalg.norm(u, axis=0), 1e-12)
  found = {'cosine': float(cosine.mean()), **{f'cosine_{k}': float(c) for k, c in enumerate(cosine)}}
  if duals:
    steps = np.arange(1, subject.data.spec['observation'].shape[0])
    chances = discount**steps / np.sum(discount**steps)
    exact = 1 - (1 - values)[:, None] ** steps @ chances
    estimated = -np.diagonal(np.asarray(subject.memories[duals]['duals'], np.float64)) / 2
    found['eigenvalue_error'] = float(np.sum(np.abs(estimated - exact)) / np.sum(exact))
  return found
