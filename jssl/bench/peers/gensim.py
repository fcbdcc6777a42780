"""Skip-gram with negative samples by gensim, with a thread per core."""

import os
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from itertools import cycle
from typing import Any

from gensim.models import Word2Vec

from jssl.bench.served import Trainer
from jssl.data.words.corpora import CORPORA
from jssl.errors import ConfigError


def prepare(config: Any) -> Trainer:
  """As many words as have the pairs of a batch of jssl: a word has window + 1 pairs on average. gensim draws all of them, and jssl one a visit.

  Raises:
    ConfigError: the system is another one.
  """
  c = config.to_dict()
  if [loss['name'] for loss in c['losses'].values()] != ['sgns'] or c['data']['name'] != 'words':
    raise ConfigError('a counterpart in gensim is written for word2vec')
  window, negatives = c['data'].get('window', 5), c['passes']['pair']['sampler']['negatives']
  subsample = c['data'].get('subsample', 1e-3)
  sentences = [sentence for name in c['data'].get('corpora', ('king_james', 'lee')) for sentence in CORPORA[name]()]
  model = Word2Vec(
    vector_size=c['backbone']['dim'], window=window, min_count=c['data'].get('min_count', 5), sg=1, negative=negatives, sample=subsample,
    workers=os.cpu_count() or 1,
  )  # fmt: skip
  model.build_vocab(sentences)
  text = cycle(sentences)
  kept = _kept(sentences, model, subsample)

  def some(count: float) -> Iterator[list[str]]:
    while count > 0:
      sentence = next(text)
      count -= len(sentence) * kept
      yield sentence

  def run(iterations: int) -> None:
    chosen = list(some(iterations * c['batch_size'] / (window + 1)))
    model.train(chosen, total_examples=len(chosen), epochs=1)

  return Trainer(run, {'parameters': 2 * model.wv.vectors.size, 'versions': {'gensim': version('gensim')}})


def _kept(sentences: list[list[str]], model: Word2Vec, subsample: float) -> float:
  """The share of words that are left after thinning."""
  counts = Counter(word for sentence in sentences for word in sentence)
  total = sum(counts.values())
  known = {word: n for word, n in counts.items() if word in model.wv}
  threshold = subsample * sum(known.values())
  chance = lambda n: min((n / threshold) ** 0.5 * threshold / n + threshold / n, 1.0) if subsample < 1 else 1.0
  return sum(n * chance(n) for n in known.values()) / total
