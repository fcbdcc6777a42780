"""Whether the features of a linear encoder have become the same."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Key


@protocol('1', needs=('info.environment', 'nets.{encoder}', 'nets.{head}'), raw=False)
def column_cosine(subject: Subject, key: Key | None = None, *, encoder: str = 'backbone', head: str = 'head') -> dict[str, float]:
  """The `column_cosine` protocol: the |cosine| between the columns of a linear map from observations to features.

  Args:
    subject: its data have an environment with `states`.
    key: for observations, if they are random.
    encoder, head: networks that are together a linear map Phi [n d] of flattened observations, or an affine one.

  Returns:
    cosine, the mean over pairs of columns, of the rows of Phi whose inputs differ between states. 0 for orthogonal columns, 1 where all
    features are multiples of one.

  Reference: Ni et al., ICLR 2024, arXiv:2401.08898, Figure 2.
  """
  environment = subject.data.info['environment']
  seen = jax.vmap(environment.observe, (0, None))(environment.facts['states'], jax.random.key(0) if key is None else key)
  shape = seen.shape[1:]
  varies = np.flatnonzero(np.ptp(np.asarray(seen).reshape(len(seen), -1), 0) > 0)
  inputs = jnp.eye(int(np.prod(shape)))[varies].reshape(-1, *shape)
  features = lambda x: finite(subject.networks[head](subject.networks[encoder](x).pooled), f'the outputs of {head!r}').astype(np.float64)
  rows = features(inputs) - features(jnp.zeros_like(inputs[:1]))
  columns = rows / np.maximum(np.linalg.norm(rows, axis=0), 1e-12)
  pairs = np.triu_indices(columns.shape[1], 1)
  return {'cosine': float(np.abs((columns.T @ columns)[pairs]).mean())}
