"""Semantic textual similarity: correlation of cosines of embeddings with human judgements."""

from typing import Any

import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import extract
from jssl.evaluators.figures import Items
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import correlations
from jssl.ops.pooling import masked_mean
from jssl.types import Key


@protocol('2', needs=('{texts}.{inputs}', '{pairs}.a', '{pairs}.b', '{pairs}.score'))
def sts(
  subject: Subject, key: Key, *, texts: str = 'test', pairs: str = 'pairs', dims: int | None = None, angular: bool = False
) -> dict[str, Any]:
  """Rank and linear correlation of cosines with scores, over pairs of texts; each text is encoded once.

  Args:
    subject: its data have a split `pairs` with a and b, row indices of the split `texts`, and score.
    key: unused.
    texts: the split of texts.
    pairs: the split of pairs.
    dims: number of leading features to keep; None for all.
    angular: use 1 - arccos(cosine)/pi instead of the cosine: the same order with other distances.

  Returns:
    spearman and pearson, 0 if all cosines are equal, and the number of pairs.

  Reference: Cer, Diab, Agirre, Lopez-Gazpio, Specia, SemEval 2017, arXiv:1708.00055, section 7; Spearman's, after
    Reimers, Beyer, Gurevych, COLING 2016; angular: Cer et al. 2018, arXiv:1803.11175, Eq. 1.
  """
  del key
  return _correlation(subject, subject.represent, texts, pairs, dims, angular)


@protocol('2', needs=('{texts}.{inputs}', '{pairs}.a', '{pairs}.b', '{pairs}.score', 'layers'), raw=False, fits=needs.within)
def sts_layer(subject: Subject, key: Key, *, layer: int, texts: str = 'test', pairs: str = 'pairs', dims: int | None = None) -> dict[str, Any]:
  """`sts` of the mean state after block `layer`, 0 for the embedding layer.

  Args:
    subject: has a network on ids that returns `layers`.
    key: unused.
    layer: index of the block.
    texts, pairs, dims: as in `sts`.
  """
  del key

  def represent(columns):
    found = subject.represent(columns)
    return found._replace(pooled=masked_mean(found.layers[layer], subject.data.spec[subject.data.inputs].real(columns[subject.data.inputs])))

  return _correlation(subject, represent, texts, pairs, dims)


def _correlation(subject, represent, texts, pairs, dims, angular=False):
  splits = subject.data.splits
  x, _ = extract(represent, splits[texts], min(len(splits[texts]), 512), label=None)
  x = x[:, :dims]
  x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
  rows = [splits[pairs][i] for i in range(len(splits[pairs]))]
  a, b, score = (np.array([row[name] for row in rows]) for name in ('a', 'b', 'score'))
  cosine = np.sum(x[a] * x[b], 1)
  cosine = 1 - np.arccos(np.clip(cosine, -1, 1)) / np.pi if angular else cosine
  return {**correlations(cosine, score), 'pairs': len(score), 'items': dict(spearman=Items('spearman', (cosine, score)))}
