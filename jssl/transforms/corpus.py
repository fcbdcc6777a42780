"""Context from a corpus for encoding texts of the corpus."""

import numpy as np

from jssl.ops.rows import take
from jssl.types import Transform


def corpus_context(*, network: str, count: int, split: str = 'test', seed: int = 0) -> Transform:
  """Uses the vectors of some documents of a corpus, computed once, as the context of all encoded texts.

  Args:
    network: the network that computes the vectors.
    count: number of documents; all, if there are fewer.
    split: the split of the documents.
    seed: seed for the choice of documents.

  Reference: Morris, Rush, ICLR 2025, arXiv:2410.02525, section 4.2.
  """

  def fit(represent, data):
    rows = data.splits[split]
    drawn = np.random.RandomState(seed).permutation(len(rows))[:count]
    return represent({data.inputs: take(rows, drawn)[data.inputs]}, network=network).pooled

  return Transform(fit, lambda represent, context, inputs: represent(inputs, context=context), networks=True)
