"""Evaluation of word vectors: similarity and analogies."""

import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import extract
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import correlations, products, ranks
from jssl.types import Key


@protocol('2', needs=('{split}.{inputs}', 'info.similarity', 'info.analogies'), raw=False, fits=needs.pieces)
def word_similarity(subject: Subject, key: Key | None = None, *, split: str = 'words') -> dict[str, float]:
  """The `word_similarity` protocol: rank correlation of cosines with human judgements, and the accuracy of analogies.

  Pairs and questions with out-of-vocabulary words are skipped; the numbers of the others are reported.

  Args:
    subject: its data have the vocabulary as the rows of `split`, and in `info` similarity (name -> pairs, scores) and analogies (kind -> [k
      4]), as row indices.
    key: unused; the protocol is deterministic.
    split: the split of the vocabulary.

  Returns:
    Spearman's correlation, by the name of each set, 0 for constant vectors; analogy, the share of questions of all kinds answered correctly,
    and analogy_mrr, the mean of 1 / rank of the correct answer, which discriminates better for small corpora; both also for analogy_semantic
    and analogy_syntactic (kinds named gram...), if there are any.

  Reference: Mikolov, Chen, Corrado, Dean 2013, arXiv:1301.3781, section 4 (analogies); Finkelstein et al. 2002,
  doi:10.1145/503104.503110 (similarity).
  """
  x, _ = extract(subject.represent, subject.data.splits[split], label=None)
  x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
  figures, counts = {}, {}
  for name, (pairs, judged) in subject.data.info['similarity'].items():
    figures[name] = correlations(np.sum(x[pairs[:, 0]] * x[pairs[:, 1]], 1), judged)['spearman']
    counts[name] = len(pairs)
  rank = {kind: analogy_ranks(x, asked) for kind, asked in subject.data.info['analogies'].items()}
  groups = {'analogy': list(rank.values())}
  for group, syntactic in (('analogy_semantic', False), ('analogy_syntactic', True)):
    groups[group] = [r for kind, r in rank.items() if kind.startswith('gram') == syntactic]
  for group, parts in groups.items():
    if parts:
      found = np.concatenate(parts)
      figures |= {group: float(np.mean(found <= 1)), f'{group}_mrr': float(np.mean(1 / found))}
      counts[group] = len(found)
  return {**figures, 'asked': counts}


def analogy_ranks(x: np.ndarray, questions: np.ndarray, batch_size: int = 256) -> np.ndarray:
  """The rank, from 1, of the answer to a : b :: c : d by 3CosAdd, cos(w, b - a + c), among all words w other than a, b, c.

  Args:
    x: [v d] unit vectors.
    questions: [q 4] rows a, b, c, d of x.
    batch_size: questions per batch.

  Returns:
    [q]; ties get the mean rank.

  Reference: Levy, Goldberg, CoNLL 2014, doi:10.3115/v1/W14-1618, Eq. 2.
  """
  found = []
  for start in range(0, len(questions), batch_size):
    a, b, c, d = questions[start : start + batch_size].T
    keep = np.ones((len(a), len(x)), bool)
    for given in (a, b, c):
      keep[np.arange(len(a)), given] = False
    found.append(ranks(products(x[b] - x[a] + x[c], x), d, keep))
  return np.concatenate(found)
