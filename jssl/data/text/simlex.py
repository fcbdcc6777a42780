"""Words as texts, with human judgements of similarity."""

import functools

import numpy as np

from jssl.data.core.packaged import package
from jssl.data.text import corpora as text
from jssl.types import Data, Judged

SIMLEX = dict(
  name='simlex', description='SimLex-999: 999 pairs of words, judged for likeness, not for association, as gensim packages them.',
  licence='distributed with gensim (LGPL-2.1); its authors publish it and name no licence',
  citation='Hill, Reichart, Korhonen, SimLex-999, Computational Linguistics 2015, arXiv:1408.3456',
)  # fmt: skip


@functools.lru_cache(maxsize=2)
def simlex(*, length: int = 8, vocabulary: int = 2048, tokenizer: str | None = None) -> Data:
  """Every word of SimLex-999 as a separate text: more texts than a small encoder has features.

  Args:
    length: n, tokens per word.
    vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data: 'train' and 'test' both have ids [n] of the 1,028 words, which carry no labels; 'pairs' has a and b, row indices, and score, from 0 to
      10. `info` has texts.

  Raises:
    DataError: if gensim is not installed.

  Reference: Hill, Reichart, Korhonen 2015, arXiv:1408.3456.
  """
  path = package('gensim', 'gensim', 'test/test_data') / 'simlex999.txt'
  rows = [line.split('\t') for line in path.read_text('utf-8').splitlines() if line and not line.startswith('#')]
  words = sorted({word for first, second, _ in rows for word in (first, second)})
  number = {word: i for i, word in enumerate(words)}
  ids, info = text.tokenized(SIMLEX, dict(train=words, test=words), length, vocabulary, tokenizer)
  a, b, score = zip(*((number[first], number[second], float(score)) for first, second, score in rows), strict=True)
  splits = {split: dict(ids=rows) for split, rows in ids.items()}
  return text.data({**splits, 'pairs': dict(a=np.array(a), b=np.array(b), score=np.array(score))}, info)._replace(
    judged=Judged(carved=None, halved=('pairs',))
  )
