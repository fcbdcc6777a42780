"""What a network is given of a corpus before it reads the corpus's texts."""

import numpy as np

from jssl.ops.rows import take
from jssl.types import Transform


def corpus_context(*, network: str, count: int, split: str = 'test', seed: int = 0) -> Transform:
  """The vectors of some documents of a corpus, made once, are the context of all that is encoded.

  Args:
    network: makes the vectors.
    count: documents; all where there are fewer.
    split: whose documents.
    seed: of which ones.

  Reference: Morris, Rush, ICLR 2025, arXiv:2410.02525, section 4.2.
  """

  def fit(represent, data):
    rows = data.splits[split]
    drawn = np.random.RandomState(seed).permutation(len(rows))[:count]
    return represent({data.inputs: take(rows, drawn)[data.inputs]}, network=network).pooled

  return Transform(fit, lambda represent, context, inputs: represent(inputs, context=context), networks=True)
