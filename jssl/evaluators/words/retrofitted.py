"""Word similarity after a transform by graph edges."""

import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import extract, finite
from jssl.evaluators.figures import Items
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Key, Transform


def cosines(x: np.ndarray, pairs: np.ndarray) -> np.ndarray:
  """Cosine of each pair [k 2] of rows of x [n d]."""
  x = unit(x)
  return np.sum(x[pairs[:, 0]] * x[pairs[:, 1]], 1)


def unit(x: np.ndarray) -> np.ndarray:
  return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


@protocol('3', needs=('train.{inputs}', 'info.similarity', 'info.edges'), raw=False)
def retrofitted(subject: Subject, key: Key, *, transform: Transform | None = None) -> dict[str, float]:
  """Correlation of cosines of words with human judgements, after a transform by a graph.

  Args:
    subject: its data have edges [m 2] and similarity, name -> (pairs [k 2], scores [k]), in `info`.
    key: unused.
    transform: of the vectors [n d], scaled to unit length, by the edges, such as `retrofit`; None for no transform.

  Returns:
    Spearman's correlation for each set of pairs, 0 for constant vectors; edges, the mean cosine of words joined by an edge.

  Reference: Faruqui et al. 2015, arXiv:1411.4166, section 4.1.
  """
  del key
  x = unit(extract(subject.represent, subject.data.splits['train'], 64, label=None)[0])
  if transform:
    x = finite(transform.apply(transform.fit(x, jnp.asarray(subject.data.info['edges'])), x), 'the transformed vectors')
  judged = subject.data.info['similarity'].items()
  items = {name: Items('spearman', (cosines(x, pairs), scores)) for name, (pairs, scores) in judged}
  items['edges'] = Items('mean', (cosines(x, np.asarray(subject.data.info['edges'])),))
  return {**{name: x.figure(slice(None)) for name, x in items.items()}, 'items': items}
