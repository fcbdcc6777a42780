"""Figures of rankings with graded relevance."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Num

from jssl.metrics.ranking import products


def retrieval_figures(gain: Num[np.ndarray, 'q n'], scores: Float[np.ndarray, 'q n'], ks: Sequence[int] = (1, 10)) -> dict[str, float]:
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


def mean_average_precision(z: Float[np.ndarray, 'n d'], labels: Int[np.ndarray, ' n']) -> float:
  """Every row a query for the others of its label, by dot product: the mean of the precisions at each hit."""
  similarity = products(z, z)
  np.fill_diagonal(similarity, -np.inf)
  wanted = (labels == labels[:, None]) & ~np.eye(len(z), dtype=bool)
  asked = wanted.any(1)
  if not asked.any():
    raise ValueError(f'{len(labels)} labels, all different; expected a label with at least two examples')
  return retrieval_figures(wanted[asked].astype(float), similarity[asked])['map']
