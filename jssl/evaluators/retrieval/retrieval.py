"""Retrieval: ranking of relevant documents by similarity to a query."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jssl.errors import ConfigError
from jssl.evaluators.features import extract
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import products
from jssl.metrics.retrieval import retrieval_figures
from jssl.types import Key


@protocol('2', needs=('{queries}.{inputs}', '{documents}.{inputs}', '{relevance}.query', '{relevance}.document', '{relevance}.relevance'))
def retrieval(
  subject: Subject,
  key: Key,
  *,
  queries: str = 'queries',
  documents: str = 'documents',
  relevance: str = 'relevance',
  ks: Sequence[int] = (1, 10),
  similarity: str = 'cosine',
) -> dict[str, Any]:
  """Ranks all documents by similarity for every query that has a relevant one; ties give the expectation over their orders.

  Args:
    subject: its data have a split `relevance` with query and document, row indices of the splits `queries` and `documents`, and relevance, a
      gain of 0 or more, which is 0 for other pairs.
    key: unused.
    queries, documents, relevance: names of the splits; queries and documents may be the same split; a document is then excluded from its own
      results.
    ks: cutoffs of the recalls.
    similarity: 'cosine', or 'euclidean' for the negative distance.

  Returns:
    ndcg10, map, mrr, and recall<k> for every k, means over queries; the numbers of queries and documents.

  Raises:
    ValueError: if no document is relevant.
  """
  del key
  splits = subject.data.splits
  if similarity not in ('cosine', 'euclidean'):
    raise ConfigError(f"similarity={similarity!r}: expected 'cosine' or 'euclidean'")
  q, d = (_vectors(subject, splits[name], similarity == 'cosine') for name in (queries, documents))
  gain = np.zeros((len(q), len(d)))
  for row in map(splits[relevance].__getitem__, range(len(splits[relevance]))):
    gain[int(row['query']), int(row['document'])] = row['relevance']
  asked = (gain > 0).any(1)
  if not asked.any():
    raise ValueError(f'no document of {documents!r} is relevant to a query of {queries!r}')
  score = products(q, d)
  if similarity == 'euclidean':  # in the order of the distances of a query, whose own length changes nothing
    score = score - np.sum(d.astype(np.float64) ** 2, 1) / 2
  if queries == documents:
    np.fill_diagonal(score, -np.inf)
  return {**retrieval_figures(gain[asked], score[asked], ks), 'queries': int(asked.sum()), 'documents': len(d)}


def _vectors(subject: Subject, examples: Any, unit: bool) -> np.ndarray:
  x, _ = extract(subject.represent, examples, min(len(examples), 512), label=None)
  return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) if unit else x
