"""Documents with principal sentences removed, to be generated from the rest; and summaries to evaluate this."""

import functools
import re

import numpy as np

from jssl.data.core.order import permutation
from jssl.data.core.packaged import package
from jssl.data.text import tokenize
from jssl.data.text.corpora import LEE, data, sentences
from jssl.metrics.rouge import rouge_f1
from jssl.types import Data


@functools.lru_cache(maxsize=2)
def lee_gaps(
  *, length: int = 96, target: int = 40, vocabulary: int = 2048, ratio: float = 0.3, kept: float = 0.2, pairs: int = 60, seed: int = 0
) -> Data:
  """Documents of the Lee background corpus with gaps in place of sentences: principal or random ones.

  The first sentence of a news text summarises it; the few training summaries and the test summaries are such sentences.

  Args:
    length: n, tokens per document.
    target: m, tokens per target text.
    vocabulary: size of the WordPiece vocabulary trained on the documents of 'train'.
    ratio: share of sentences that become gaps, at least one.
    kept: probability that a target sentence is left in place.
    pairs: number of distinct documents with a summary in 'train', which repeats them.
    seed: seed of random gaps, and of kept sentences.

  Returns:
    Data with ids [n], with gaps, and target [m], the removed text; random_ids and random_target, the same with random sentences; body [n],
    without its first sentence, and summary [m]. Every fifth document is in 'test'.

  Raises:
    DataError: if gensim is not installed.

  Reference: Zhang, Zhao, Saleh, Liu, ICML 2020, arXiv:1912.08777, section 3.1; Lee, Pincombe, Welsh, CogSci 2005.
  """
  lines = (package('gensim', 'gensim', 'test/test_data') / 'lee_background.cor').read_text('utf-8').splitlines()
  documents = [found for line in lines if len(found := sentences(line)) > 2]
  order = permutation(len(documents), 0)
  cut = len(documents) // 5
  splits = {'test': [documents[i] for i in order[:cut]], 'train': [documents[i] for i in order[cut:]]}
  made = tokenize.wordpiece([' '.join(document) for document in splits['train']], vocabulary=vocabulary)
  random = np.random.RandomState(seed)
  lengths = dict(ids=length, target=target, random_ids=length, random_target=target, body=length, summary=target)
  columns = {}
  for split, some in splits.items():
    rows = [_columns(document, ratio, kept, random) for document in some]
    columns[split] = {name: tokenize.encode(made, [row[name] for row in rows], n) for name, n in lengths.items()}
  few = np.arange(len(splits['train'])) % pairs
  columns['train'] |= {name: columns['train'][name][few] for name in ('body', 'summary')}
  return data(columns, {**LEE, 'ids': tokenize.facts(made)})


def principal(document: list[str], count: int) -> list[int]:
  """The sentences that share most words with the rest of their document, selected independently: Ind-Orig.

  s_i = ROUGE1-F1( x_i, D without x_i )

  Reference: Zhang, Zhao, Saleh, Liu, ICML 2020, arXiv:1912.08777, section 3.1.
  """
  words = [re.findall(r'\w+', sentence.lower()) for sentence in document]
  rest = lambda i: [word for j, sentence in enumerate(words) if j != i for word in sentence]
  score = [rouge_f1(sentence, rest(i)) for i, sentence in enumerate(words)]
  return sorted(np.argsort(-np.array(score), kind='stable')[:count].tolist())


def _columns(document: list[str], ratio: float, kept: float, random: np.random.RandomState) -> dict[str, str]:
  count = max(1, round(ratio * len(document)))
  chosen = {'': principal(document, count), 'random_': sorted(random.choice(len(document), count, replace=False).tolist())}
  columns = dict(body=' '.join(document[1:]), summary=document[0])
  for name, gaps in chosen.items():
    hidden = {i for i in gaps if random.rand() >= kept}
    columns[f'{name}ids'] = ' '.join('[MASK]' if i in hidden else sentence for i, sentence in enumerate(document))
    columns[f'{name}target'] = ' '.join(document[i] for i in gaps)
  return columns
