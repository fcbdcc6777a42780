"""The Lee corpus by documents, for methods that are both trained and evaluated on documents."""

import functools

from jssl.data.core.packaged import package
from jssl.data.text import corpora as text
from jssl.types import Data


@functools.lru_cache(maxsize=2)
def lee_documents(*, length: int = 128, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """As `text.lee`, but 'train' has the 300 documents of the background corpus, not their sentences.

  Args:
    length, vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data: 'train' and 'test' have ids; 'pairs', 'pairs_test' and 'pairs_validation' are those of `text.lee`.

  Raises:
    DataError: if gensim is not installed.

  Reference: Lee, Pincombe, Welsh, CogSci 2005.
  """
  made = text.lee(length=length, vocabulary=vocabulary, tokenizer=tokenizer)
  lines = (package('gensim', 'gensim', 'test/test_data') / 'lee_background.cor').read_text('utf-8').splitlines()
  texts = dict(train=[line for line in lines if line.strip()], test=made.info['texts']['test'])
  ids, info = text.tokenized(text.LEE, texts, length, vocabulary, tokenizer)
  documents = text.data({split: dict(ids=rows) for split, rows in ids.items()}, info)
  return documents._replace(splits={**made.splits, **documents.splits}, judged=made.judged)
