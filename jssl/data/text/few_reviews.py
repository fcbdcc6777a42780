"""A labelled data set with few known labels."""

from jssl.data.core.operators import subset
from jssl.data.text import corpora
from jssl.types import Data


def few_reviews(*, shots: int = 50, tests: int = 600, length: int = 24, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """`corpora.rotten_tomatoes` with few reviews of each polarity in 'train', and equally many of both in 'test'.

  Args:
    shots: reviews of each polarity in 'train', a fixed draw.
    tests: total number of reviews in 'test', of other films.
    length, vocabulary, tokenizer: as in `corpora.rotten_tomatoes`.

  Returns:
    Data with ids, label and film.

  Raises:
    DataError: as in `corpora.rotten_tomatoes`.
  """
  reviews = subset(
    of=corpora.rotten_tomatoes(length=length, vocabulary=vocabulary, tokenizer=tokenizer), train=shots, test=tests // 2, by='label'
  )
  return reviews._replace(info={**reviews.info, 'name': 'few_reviews'})
