"""Synthetic documents that cite each other, generated from positions in a topic space, so that their relations are known."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jssl.data.core.arrays import Columns, arrays
from jssl.types import Data, Judged

CLS, FIRST = 1, 2  # ids: 0 is padding, 1 the first token of every document, then words


class Corpus(NamedTuple):
  """Documents of one split."""

  ids: np.ndarray  # [n l], CLS first
  topic: np.ndarray  # [n]
  cited: np.ndarray  # [n c], documents cited by each one


def citations(*, hard: int = 2, easy: int = 3, **corpus: int | float) -> Data:
  """Triplets as in SPECTER: a document, one that it cites, and one that it does not cite.

  Args:
    hard: triplets per document whose negative is cited by the positive.
    easy: triplets per document whose negative is any document.
    **corpus: options of `make_corpus`, and a seed.

  Returns:
    Data with ids, positive and negative [l], and label, the topic. In 'test' positive and negative are the document itself; 'relevance' has its
    citations: query and document, row indices of 'test', and relevance 1.

  Reference: Cohan, Feldman, Beltagy, Downey, Weld 2020, arXiv:2004.07180, section 3.2; topics: Blei, Ng, Jordan, JMLR 2003.
  """

  return _documents(_triplets(hard, easy), make_corpus, **corpus)


def subtopic_citations(*, hard: int = 2, easy: int = 3, **corpus: int | float) -> Data:
  """As `citations`, for documents that cite by sub-topic: hard negatives are near, but mostly not closely related.

  Args:
    hard, easy: as in `citations`.
    **corpus: options of `make_subtopics`, and a seed.
  """
  return _documents(_triplets(hard, easy), make_subtopics, **corpus)


def citation_neighbours(
  *, positives: Sequence[int] = (25, 5), hard: Sequence[int] = (400, 2), easy: int = 3, dim: int = 64, **corpus: int | float
) -> Data:
  """Triplets as in SciNCL: positives and hard negatives are neighbours of two ranges of ranks in an embedding of the citations.

  Args:
    positives: (k, c): positives have the ranks k - c + 1 to k among the neighbours of a document; each is used in turn.
    hard: (k, c): c hard negatives, with the ranks k - c + 1 to k.
    easy: number of random negatives, which are further than these neighbours.
    dim: dimension of the embedding of the citations.
    **corpus: as in `citations`.

  Returns:
    Data as in `citations`.

  Reference: Ostendorff, Rethmeier, Augenstein, Gipp, Rehm 2022, arXiv:2202.06671, section 3; there k = 25 and c = 5, and k = 4000 and c = 2,
    for ranks among 52 million papers, embedded by PyTorch-BigGraph.
  """

  def draw(train: Corpus, random: np.random.RandomState) -> np.ndarray:
    n, rows = len(train.ids), []
    e = netmf(train.cited, dim)
    similarity = e @ e.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1)
    for q in range(n):
      near, far = (order[q, k - c : k] for k, c in (positives, hard))
      p = np.resize(near, hard[1] + easy)
      nearest = [q, *order[q, : max(positives[0], hard[0])]]
      rows += [(q, p[i], far[i] if i < hard[1] else _one(random, (), nearest, n)) for i in range(len(p))]
    return np.array(rows)

  return _documents(draw, make_corpus, **corpus)


def make_corpus(
  random: np.random.RandomState,
  *,
  documents: int = 2000,
  held_out: float = 0.2,
  topics: int = 5,
  subjects: int = 40,
  vocabulary: int = 1000,
  length: int = 32,
  cited: int = 5,
  background: float = 0.5,
  spread: float = 0.6,
  reach: float = 0.3,
) -> dict[str, Corpus]:
  """Documents of 'train' and 'test'; each cites documents of its own split.

  Topics are points in four dimensions, from N(0, 1). A subject is a point near a topic, with 30 random words. A document is a point near a
  topic; it draws words from subjects, and cites documents, in proportion to exp(-|distance|^2 / 2 reach^2).

  Args:
    random: random generator.
    documents: total number in both splits.
    held_out: share of documents in 'test'.
    topics: number of topics, of equal weight.
    subjects: number of word distributions.
    vocabulary: number of words.
    length: l, tokens per document.
    cited: c, citations per document.
    background: share of words from the whole vocabulary, by Zipf's law.
    spread: standard deviation of documents and subjects around their topic.
    reach: length scale for words and citations.
  """
  centre = random.standard_normal((topics, 4))
  topic = np.arange(documents) % topics
  near = lambda which: centre[which] + spread * random.standard_normal((len(which), 4))
  closeness = lambda x, y: np.exp(-((x[:, None] - y) ** 2).sum(-1) / (2 * reach**2)) + 1e-12
  place, subject = near(topic), near(np.arange(subjects) % topics)
  words, share = _words(random, subjects, vocabulary, 30), closeness(place, subject)
  mixture = background * _zipf(vocabulary) + (1 - background) * share / share.sum(1, keepdims=True) @ words
  return _written(random, mixture, topic, lambda rows: closeness(place[rows], place[rows]), held_out, length, cited)


def make_subtopics(
  random: np.random.RandomState,
  *,
  documents: int = 2000,
  held_out: float = 0.2,
  topics: int = 10,
  subtopics: int = 5,
  vocabulary: int = 1000,
  length: int = 32,
  cited: int = 5,
  background: float = 0.4,
  field: float = 0.3,
  loyalty: float = 0.6,
) -> dict[str, Corpus]:
  """Documents of 'train' and 'test' with sub-topics, which cite mostly within their sub-topic; labels do not include it.

  A topic has 100 random words, and a sub-topic 30.

  Args:
    random: random generator.
    documents: total number in both splits.
    held_out: share of documents in 'test'.
    topics: number of topics, of equal weight.
    subtopics: number of sub-topics per topic.
    vocabulary: number of words.
    length: l, tokens per document.
    cited: c, citations per document.
    background: share of words from the whole vocabulary, by Zipf's law.
    field: share of words from the topic; the rest is from the sub-topic.
    loyalty: share of citations within the sub-topic, as far as it has documents; the others are in other sub-topics of the topic.

  Reference: Cohan, Feldman, Beltagy, Downey, Weld 2020, arXiv:2004.07180, section 3.2: documents cited by the positive are near enough to be
    hard negatives, and not related closely enough to be cited.
  """
  sub = np.arange(documents) % (topics * subtopics)
  topic = sub % topics
  fields, narrow = (_words(random, n, vocabulary, own) for n, own in ((topics, 100), (topics * subtopics, 30)))
  mixture = background * _zipf(vocabulary) + field * fields[topic] + (1 - background - field) * narrow[sub]

  def weight(rows):
    same, near = (x[rows][:, None] == x[rows] for x in (sub, topic))
    share = lambda these: these / np.maximum(these.sum(1, keepdims=True), 1)
    return loyalty * share(same) + (1 - loyalty) * share(near & ~same) + 1e-12

  return _written(random, mixture, topic, weight, held_out, length, cited)


def netmf(cited: np.ndarray, dim: int, window: int = 5, negatives: float = 1.0) -> np.ndarray:
  """Unit vectors of the nodes of a graph, by DeepWalk as matrix factorisation.

  M = log max(1, vol(G) / (b T) (sum_{r <= T} (D^-1 A)^r) D^-1) = U S V',  e = U S^(1/2)

  Args:
    cited: [n c] neighbours; links are undirected.
    dim: d.
    window: T.
    negatives: b.

  Returns:
    [n d].

  Reference: Qiu, Dong, Ma, Li, Wang, Tang, WSDM 2018, arXiv:1710.02971, Algorithm 3.
  """
  from scipy.sparse import csr_array
  from sklearn.utils.extmath import randomized_svd

  n, links = len(cited), cited.size
  a = csr_array((np.ones(links), (np.repeat(np.arange(n), links // n), cited.ravel())), (n, n))
  a = a.maximum(a.T)
  degree = a.sum(1)
  power, total = np.diag(1 / degree), np.zeros((n, n))
  for _ in range(window):
    power = (a @ power) / degree[:, None]
    total += power
  m = np.log(np.maximum(1, degree.sum() / (negatives * window) * total))
  u, s, _ = randomized_svd(m, dim, random_state=0)
  e = u * np.sqrt(s)
  return e / np.maximum(np.linalg.norm(e, axis=1, keepdims=True), 1e-12)


def _triplets(hard: int, easy: int) -> Callable:
  def draw(train: Corpus, random: np.random.RandomState) -> np.ndarray:
    n, rows = len(train.ids), []
    for q in range(n):
      for i in range(hard + easy):
        p = random.choice(train.cited[q])
        known = np.append(train.cited[q], [q, p])
        rows.append((q, p, _one(random, np.setdiff1d(train.cited[p], known) if i < hard else (), known, n)))
    return np.array(rows)

  return draw


def _documents(draw: Callable, make: Callable, *, seed: int = 0, **options) -> Data:
  random = np.random.RandomState(seed)
  splits = make(random, **options)
  train, test = splits['train'], splits['test']
  q, p, n = draw(train, random).T
  data = arrays(
    ids=train.ids[q], positive=train.ids[p], negative=train.ids[n], label=train.topic[q],
    test=dict(ids=test.ids, positive=test.ids, negative=test.ids, label=test.topic),
    facts=dict.fromkeys(('ids', 'positive', 'negative'), dict(size=FIRST + options.get('vocabulary', 1000), pad=0, first=FIRST)),
    info=dict(
      name='citations', licence='made by NumPy: no licence needed', classes=tuple(map(str, range(int(test.topic.max()) + 1)))
    ),
  )  # fmt: skip
  query = np.repeat(np.arange(len(test.ids), dtype=np.int32), test.cited.shape[1])
  relevance = dict(query=query, document=test.cited.ravel().astype(np.int32), relevance=np.ones(len(query), np.float32))
  return data._replace(splits=data.splits | {'relevance': Columns(relevance)}, judged=Judged(carved=None, halved=('relevance',)))


def _words(random: np.random.RandomState, n: int, vocabulary: int, own: int) -> np.ndarray:
  """n distributions [n v], each over its own random words."""
  words = np.zeros((n, vocabulary))
  for row in words:
    row[random.choice(vocabulary, own, replace=False)] = random.dirichlet(np.ones(own))
  return words


def _zipf(vocabulary: int) -> np.ndarray:
  zipf = 1 / np.arange(1, vocabulary + 1)
  return zipf / zipf.sum()


def _written(
  random: np.random.RandomState, mixture: np.ndarray, topic: np.ndarray, weight: Callable, held_out: float, length: int, cited: int
) -> dict[str, Corpus]:
  """Draws words from `mixture` [n v], and citations within each split in proportion to weight(rows) [m m]."""
  drawn = [np.searchsorted(mass, mass[-1] * random.random_sample(length - 1), 'right') for mass in mixture.cumsum(1)]
  ids = np.concatenate([np.full((len(topic), 1), CLS), FIRST + np.array(drawn)], 1).astype(np.int32)
  cut, splits = round(held_out * len(topic)), {}
  for split, rows in (('train', slice(cut, None)), ('test', slice(cut))):
    chance = random.gumbel(size=(len(ids[rows]),) * 2)  # the largest of log weight + chance: sampling without replacement
    sampled = np.log(weight(rows)) + chance
    np.fill_diagonal(sampled, -np.inf)
    splits[split] = Corpus(ids[rows], topic[rows], np.argsort(-sampled, axis=1)[:, :cited])
  return splits


def _one(random: np.random.RandomState, wanted: np.ndarray, known: np.ndarray, n: int) -> int:
  """One of `wanted`; if that is empty, one of n that is not in `known`."""
  if len(wanted):
    return random.choice(wanted)
  if len(np.unique(known)) >= n:
    raise ValueError(f'all {n} documents are cited by one document or are near it, so none is left as a negative: give more documents')
  while (i := random.randint(n)) in known:
    pass
  return i
