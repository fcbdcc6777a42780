"""Retrieval: are the relevant documents of a query the nearest ones?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jssl.evaluators.features import extract
from jssl.evaluators.ranking import products
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
  """Ranks all documents by cosine for every query that has a relevant one; of equally near ones, the expectation over their orders.

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
    ValueError: nothing is relevant.
  """
  del key
  splits = subject.data.splits
  q, d = (_unit(subject, splits[name]) for name in (queries, documents))
  gain = np.zeros((len(q), len(d)))
  for row in map(splits[relevance].__getitem__, range(len(splits[relevance]))):
    gain[int(row['query']), int(row['document'])] = row['relevance']
  asked = (gain > 0).any(1)
  if not asked.any():
    raise ValueError(f'no document of {documents!r} is relevant to a query of {queries!r}')
  similarity = products(q, d)
  if queries == documents:
    np.fill_diagonal(similarity, -np.inf)
  return {**figures(gain[asked], similarity[asked], ks), 'queries': int(asked.sum()), 'documents': len(d)}


def figures(gain: np.ndarray, scores: np.ndarray, ks: Sequence[int] = (1, 10)) -> dict[str, float]:
  """What a ranking is worth, as the expectation over all orders of documents with equal scores.

  ndcg10 = mean of DCG10 / ideal DCG10, DCG10 = sum_{r <= 10} gain_r / log2(1 + r); map = mean over queries of the mean, over
  the relevant documents, of the share of relevant ones down to each; mrr = mean of 1 / rank of the first relevant document;
  recall<k> = mean share of the relevant documents among the first k.

  Args:
    gain: [queries documents], 0 or more; every row has a gain above 0.
    scores: [queries documents], the higher the earlier in the ranking.
    ks: of the recalls.

  Reference: Jarvelin, Kekalainen, TOIS 2002, doi:10.1145/582415.582418, with linear gain as trec_eval has it; McSherry, Najork,
    ECIR 2008, doi:10.1007/978-3-540-78646-7_38, sections 2 and 3, for ties.
  """
  order = np.argsort(-scores, axis=1, kind='stable')
  ideal = -np.sort(-gain, axis=1)
  gain, scores = (np.take_along_axis(x, order, 1) for x in (gain, scores))
  rank, edge = np.arange(1, 1 + gain.shape[1]), np.diff(scores, axis=1) != 0
  end = np.ones((len(gain), 1), bool)
  first = np.maximum.accumulate(np.where(np.concatenate([end, edge], 1), rank, 0), 1)  # ranks of the group of equals around each
  last = np.minimum.accumulate(np.where(np.concatenate([edge, end], 1), rank, len(rank))[:, ::-1], 1)[:, ::-1]
  size, within = last - first + 1, rank - first

  def sums(x):
    """Of what is ranked before the group, and of the group."""
    total = np.concatenate([np.zeros((len(x), 1)), np.cumsum(x, 1)], 1)
    before = np.take_along_axis(total, first - 1, 1)
    return before, np.take_along_axis(total, last, 1) - before

  before, tied = sums(gain > 0)
  relevant, all_relevant = tied / size, (gain > 0).sum(1)
  down = before + 1 + within * (tied - 1) / np.maximum(size - 1, 1)  # relevant ones down to a rank, where it is relevant
  hazard = np.minimum(tied / (size - within), 1)  # the chance that a rank is relevant, where none of its group before it is
  none = np.cumprod(np.concatenate([end, 1 - hazard[:, :-1]], 1), 1)  # ... and that none before it is
  discount = 1 / np.log2(1 + rank[:10])
  dcg = lambda gain: gain[:, :10] @ discount
  return {
    'ndcg10': float((dcg(sums(gain)[1] / size) / dcg(ideal)).mean()),
    'map': float(((relevant * down / rank).sum(1) / all_relevant).mean()),
    'mrr': float((none * hazard / rank).sum(1).mean()),
    **{f'recall{k}': float((relevant[:, :k].sum(1) / all_relevant).mean()) for k in ks},
  }


def _unit(subject, examples):
  x, _ = extract(subject.represent, examples, min(len(examples), 512), label=None)
  return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
