"""Texts made for a question: does a representation know the gender of a name, tell code from prose, follow a thesaurus?"""

import ast
import bz2
import csv
import itertools
import sysconfig
from collections import defaultdict
from pathlib import Path

import jax
import numpy as np

from jssl.data import text
from jssl.data.arrays import Columns
from jssl.types import Data

# Common in censuses of the United States; one half for training, the other for testing.
NAMES = (
  ('James', 'Robert', 'Michael', 'David', 'William', 'Richard', 'Joseph', 'Thomas', 'Charles', 'Daniel', 'Matthew', 'Anthony',
   'Mark', 'Steven', 'Paul', 'Andrew'),
  ('Mary', 'Patricia', 'Jennifer', 'Linda', 'Elizabeth', 'Barbara', 'Susan', 'Jessica', 'Sarah', 'Karen', 'Lisa', 'Nancy',
   'Sandra', 'Ashley', 'Emily', 'Laura'),
)  # fmt: skip
WORK = {
  'surgeon': ('operated on a patient', 'closed the wound with care', 'scrubbed in for the operation', 'checked the scan of the knee'),
  'engineer': ('drew the plan of the bridge', 'tested the new engine', 'computed the load on the beam', 'fixed the circuit board'),
  'nurse': ('changed the bandage', 'took the temperature of a patient', 'gave the evening medicine', 'made the hospital bed'),
  'teacher': ('marked the homework', 'read a story to the class', 'explained fractions to the children', 'wrote on the blackboard'),
}
DAY = ('arrived early and had coffee', 'answered a few letters', 'left work at six', 'talked with a colleague', 'was tired at noon')
FRAMES = ('{} {}.', 'Yesterday {} {}.', 'We heard that {} {}.', 'As always, {} {} on Monday.')
MADE = dict(name='occupations', description='Templated sentences of a name at work.', licence='Apache-2.0, part of jssl', citation='')
CODE = dict(
  name='code_or_prose', description='Functions of the standard library of Python, and their documentation.', licence='PSF-2.0',
  citation='The Python Standard Library',
)  # fmt: skip


def occupations(
  *, agreement: float = 0.8, vague: float = 0.4, length: int = 16, examples: int = 1024, vocabulary: int = 512,
  tokenizer: str | None = None,
) -> Data:  # fmt: skip
  """Sentences of a person at work. In 'train' names of men go with two of the occupations, names of women with the other two.

  Args:
    agreement: share of sentences in which they do; in 'test' a half, with other names.
    vague: share of sentences that say nothing of the occupation.
    length: tokens a text.
    examples: sentences in 'train'; half as many in 'test'.
    vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data with ids, label (the occupation) and gender (0 for names of men).

  Reference: after De-Arteaga et al. 2019, arXiv:1901.09451, whose biographies are not free; Ravfogel et al. 2020,
    arXiv:2004.07667, section 6.3, controls the agreement likewise.
  """
  rng = np.random.default_rng(0)
  work = list(WORK.values())
  texts, columns = {}, {}
  for split, n, share in (('train', examples, agreement), ('test', examples // 2, 0.5)):
    label = rng.integers(len(work), size=n)
    gender = (label >= 2) ^ (rng.random(n) >= share)
    half = slice(0, None, 2) if split == 'train' else slice(1, None, 2)
    does = [rng.choice(DAY if rng.random() < vague else work[y]) for y in label]
    texts[split] = [rng.choice(FRAMES).format(rng.choice(NAMES[z][half]), d) for z, d in zip(gender.astype(int), does, strict=True)]
    columns[split] = dict(label=label, gender=gender.astype(np.int32))
  ids, info = text.tokenized(MADE, texts, length, vocabulary, tokenizer)
  return text.data({split: dict(ids=ids[split], **columns[split]) for split in ids}, info | dict(classes=tuple(WORK)))


def code_or_prose(*, length: int = 24, vocabulary: int = 2048, tokenizer: str | None = None) -> Data:
  """The bodies of functions (label 1) and what their documentation says (label 0), by turns; every fifth module is in 'test'.

  The topic of both is the same, so that telling them apart takes more than words.

  Args:
    length: tokens a text.
    vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data with ids and label; the texts are those of the Python that runs.
  """
  modules = sorted(Path(sysconfig.get_path('stdlib')).glob('[a-z]*.py'))
  texts, labels = defaultdict(list), defaultdict(list)
  for i, path in enumerate(modules):
    split, source = 'test' if i % 5 == 0 else 'train', path.read_text('utf-8')
    for node in ast.walk(ast.parse(source)):
      if isinstance(node, ast.FunctionDef) and len(node.body) > 1 and len((said := ast.get_docstring(node) or '').split()) >= 8:
        lines = source.splitlines()[node.body[1].lineno - 1 : node.end_lineno]
        texts[split] += ['\n'.join(lines), said]
        labels[split] += [1, 0]
  ids, info = text.tokenized(CODE, texts, length, vocabulary, tokenizer)
  return text.data({s: dict(ids=ids[s], label=np.array(labels[s])) for s in ids}, info | dict(classes=('prose', 'code')))


def lexicon(*, largest: int = 12, length: int = 8, vocabulary: int = 2048, tokenizer: str | None = None) -> Data:
  """The words of SimLex-999 and WordSim-353, with what people say of their pairs and edges of Roget's thesaurus.

  Args:
    largest: words share an edge where they share a heading under which no more of the words than this stand.
    length: tokens a word.
    vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data with ids, the words in the same order in 'train' and 'test'. `info` has words; edges [m 2]; similarity: name ->
    (pairs [k 2], scores [k]); all rows of the splits.

  Raises:
    DataError: gensim or scattertext is not installed.

  Reference: Hill, Reichart, Korhonen 2015, arXiv:1408.3456; Finkelstein et al. 2002, doi:10.1145/503104.503110; a Roget's
    thesaurus, as scattertext packages it.
  """
  folder = text.package('gensim', 'gensim', 'test/test_data')
  judged = {}
  for name, file in dict(simlex='simlex999.txt', wordsim='wordsim353.tsv').items():
    rows = [line.split('\t') for line in (folder / file).read_text('utf-8').splitlines() if not line.startswith('#')]
    judged[name] = [(a.lower(), b.lower(), float(score)) for a, b, score in rows]
  words = sorted({word for rows in judged.values() for a, b, _ in rows for word in (a, b)})
  number = {word: i for i, word in enumerate(words)}
  headings = defaultdict(set)
  path = text.package('scattertext', 'scattertext', 'data/roget.csv.bz2')
  with bz2.open(path, 'rt', encoding='utf-8', newline='') as file:
    for word, heading in csv.reader(file, quoting=csv.QUOTE_NONE):
      if word in number:
        headings[heading].add(number[word])
  edges = {pair for some in headings.values() if len(some) <= largest for pair in itertools.combinations(sorted(some), 2)}
  ids, info = text.tokenized(text.LEE | dict(name='lexicon'), dict(train=words), length, vocabulary, tokenizer)
  similarity = {
    name: (np.array([(number[a], number[b]) for a, b, _ in rows]), np.array([score for *_, score in rows]))
    for name, rows in judged.items()
  }
  every = Columns(dict(ids=ids['train']))
  info |= dict(
    words=words, edges=np.array(sorted(edges), np.int32), similarity=similarity,
    description='Words of SimLex-999 and WordSim-353, and Roget\'s thesaurus.',
    licence='SimLex-999 and WordSim-353 distributed with gensim (LGPL-2.1); thesaurus distributed with scattertext (Apache-2.0)',
    citation='Hill et al. 2015; Finkelstein et al. 2002; Roget 1911',
  )  # fmt: skip
  return Data(dict(train=every, test=every), dict(ids=jax.ShapeDtypeStruct(ids['train'].shape[1:], np.int32)), 'ids', info)
