"""Texts for probing: whether a representation encodes the gender of a name, or distinguishes code from prose."""

import ast
import sysconfig
from collections import defaultdict
from pathlib import Path

import numpy as np

from jssl.data.text import corpora as text
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
  """Sentences about a person at work. In 'train', names of men correlate with two of the occupations, names of women with the other two.

  Args:
    agreement: share of sentences with this correlation; one half in 'test', with other names.
    vague: share of sentences without information about the occupation.
    length: tokens per text.
    examples: number of sentences in 'train'; half as many in 'test'.
    vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data with ids, label (the occupation) and gender (0 for names of men).

  Reference: after De-Arteaga et al. 2019, arXiv:1901.09451, whose biographies are not free; Ravfogel et al. 2020, arXiv:2004.07667, section
    6.3, controls the agreement in the same way.
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
  """Alternating bodies of functions (label 1) and their docstrings (label 0); every fifth module is in 'test'.

  Both have the same topic, so words alone do not distinguish them.

  Args:
    length: tokens per text.
    vocabulary, tokenizer: as in `text.lee`.

  Returns:
    Data with ids and label; the texts are from the running Python version.
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
