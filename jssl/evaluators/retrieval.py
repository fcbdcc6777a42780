"""Retrieval: are the relevant documents of a query the nearest ones?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jssl.evaluators.features import extract
from jssl.evaluators.subject import Subject
from jssl.types import Key


def retrieval(
  subject: Subject,
  key: Key,
  *,
  queries: str = 'queries',
  documents: str = 'documents',
  relevance: str = 'relevance',
  ks: Sequence[int] = (1, 10),
) -> dict[str, Any]:
  """Ranks all documents by cosine for every query that has a relevant one.

  Args:
    subject: its data have a split `relevance` with query and document, rows of the splits `queries` and `documents`,
      and relevance, a gain of 0 or more; pairs that are not listed have 0.
    key: not used.
    queries, documents, relevance: names of the splits; queries and documents may be one split, and a document is then
      never found by itself.
    ks: of the recalls.

  Returns:
    ndcg10, map, mrr, and recall<k> for every k, means over queries; the numbers of queries and documents.

  Raises:
    ValueError: there is no such split, or nothing is relevant.
  """
  del key
  splits = subject.data.splits
  if missing := [name for name in (queries, documents, relevance) if name not in splits]:
    raise ValueError(f'retrieval needs the splits {[queries, documents, relevance]}; {missing} not among {sorted(splits)}')
  q, d = (_unit(subject, splits[name]) for name in (queries, documents))
  gain = np.zeros((len(q), len(d)))
  for row in map(splits[relevance].__getitem__, range(len(splits[relevance]))):
    gain[int(row['query']), int(row['document'])] = row['relevance']
  asked = (gain > 0).any(1)
  if not asked.any():
    raise ValueError(f'no document of {documents!r} is relevant to a query of {queries!r}')
  similarity = q @ d.T
  if queries == documents:
    np.fill_diagonal(similarity, -np.inf)
  # Of documents equally near, the one that comes first in the split.
  order = np.argsort(-similarity[asked], axis=1, kind='stable')
  found = figures(np.take_along_axis(gain[asked], order, 1), ks)
  return {**found, 'queries': int(asked.sum()), 'documents': len(d)}


def figures(gain: np.ndarray, ks: Sequence[int] = (1, 10)) -> dict[str, float]:
  """What a ranking is worth.

  ndcg10 = mean of DCG10 / ideal DCG10, DCG10 = sum_{r <= 10} gain_r / log2(1 + r); map = mean over queries of the mean, over
  the relevant documents, of the share of relevant ones down to each; mrr = mean of 1 / rank of the first relevant document;
  recall<k> = mean share of the relevant documents among the first k.

  Args:
    gain: [queries documents], best ranked first; every row has a gain above 0.
    ks: of the recalls.

  Reference: Jarvelin, Kekalainen, TOIS 2002, doi:10.1145/582415.582418, with linear gain as trec_eval has it.
  """
  relevant = gain > 0
  discount = 1 / np.log2(np.arange(2, 2 + min(10, gain.shape[1])))
  dcg = lambda gain: gain[:, : len(discount)] @ discount
  recall = lambda k: float((relevant[:, :k].sum(1) / relevant.sum(1)).mean())
  return {
    'ndcg10': float((dcg(gain) / dcg(-np.sort(-gain, axis=1))).mean()),
    'map': float(((relevant.cumsum(1) / np.arange(1, 1 + gain.shape[1]) * relevant).sum(1) / relevant.sum(1)).mean()),
    'mrr': float((1 / (1 + relevant.argmax(1))).mean()),
    **{f'recall{k}': recall(k) for k in ks},
  }


def _unit(subject, examples):
  x, _ = extract(subject.represent, examples, min(len(examples), 512), label=None)
  return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
