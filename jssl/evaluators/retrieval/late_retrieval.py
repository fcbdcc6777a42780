"""Retrieval by token embeddings."""

import jax
import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.retrieval import retrieval_figures
from jssl.ops.late_interaction import late_interaction
from jssl.ops.normalize import l2_normalize
from jssl.ops.rows import take
from jssl.types import Key


@protocol('2', needs=('{split}.{query}', '{split}.{passage}', 'nets.{encoder}', 'nets.{head}'), raw=False)
def late_retrieval(
  subject: Subject,
  key: Key,
  *,
  split: str = 'test',
  query: str = 'cipher',
  passage: str = 'ids',
  encoder: str = 'backbone',
  head: str = 'projector',
) -> dict[str, float]:
  """The `late_retrieval` protocol: ranks all passages of a split for every query, by late interaction; one passage is relevant.

  Args:
    subject: its data have the columns `query` and `passage`, ids.
    key: unused.
    split: the split of both.
    query, passage: columns of ids. encoder, head: names of networks.

  Returns:
    ndcg10, map, mrr, recall1 and recall5, as defined in `retrieval.figures`.

  Reference: Khattab, Zaharia, SIGIR 2020, arXiv:2004.12832, section 3.3.
  """
  del key
  examples = subject.data.splits[split]
  batch = take(examples, np.arange(len(examples)))
  net, project = subject.networks[encoder], subject.networks[head]
  vectors = jax.jit(lambda ids: l2_normalize(project(net(ids).tokens)))
  passages, mask = vectors(batch[passage]), batch[passage] != 0
  # Some of the queries at a time: the inner products of all tokens at once are large.
  ranked = jax.jit(lambda q: late_interaction(q, passages, mask))
  scores = np.concatenate([ranked(vectors(batch[query][i : i + 32])) for i in range(0, len(examples), 32)])
  return retrieval_figures(np.eye(len(scores)), finite(scores, 'the scores of passages'), (1, 5))
