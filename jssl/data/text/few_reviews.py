"""A labelled set of which few labels are known."""

import numpy as np

from jssl.data.core.order import permutation
from jssl.data.text import corpora as text
from jssl.types import Data


def few_reviews(*, shots: int = 50, tests: int = 600, length: int = 24, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """`text.rotten_tomatoes` with few reviews of each polarity in 'train', and as many of both in 'test'.

  Args:
    shots: reviews of each polarity in 'train', drawn once.
    tests: of both together in 'test', of other films.
    length, vocabulary, tokenizer: as there.

  Returns:
    Data with ids, label and film.

  Raises:
    DataError: as there.
  """
  whole = text.rotten_tomatoes(length=length, vocabulary=vocabulary, tokenizer=tokenizer)
  splits, texts = {}, {}
  for split, most in (('train', shots), ('test', tests // 2)):
    columns = whole.splits[split].columns
    drawn = permutation(len(columns['label']), 0)
    rows = np.sort(np.concatenate([drawn[columns['label'][drawn] == c][:most] for c in (0, 1)]))
    splits[split] = {name: x[rows] for name, x in columns.items()}
    texts[split] = [whole.info['texts'][split][i] for i in rows]
  return text.data(splits, whole.info | dict(name='few_reviews', texts=texts, ids=whole.spec['ids'].facts))
