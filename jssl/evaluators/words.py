"""What word vectors know: similarity as people judge it, and analogies."""

import numpy as np

from jssl.evaluators.features import extract
from jssl.evaluators.subject import Subject
from jssl.types import Key


def words(subject: Subject, key: Key | None = None, *, split: str = 'words') -> dict[str, float]:
  """Protocol words: rank correlation of cosines with human judgements, and analogies answered exactly.

  Pairs and questions with a word that is not in the vocabulary are not asked; how many are asked stands beside.

  Args:
    subject: its data have the vocabulary as the rows of `split`, and in `info` similarity (name -> pairs, scores) and
      analogies (kind -> [k 4]), as rows of it.
    key: not used, there is no chance in it.
    split: of the vocabulary.

  Returns:
    Spearman's correlation, by the name of each set; analogy, the share of questions answered right over all kinds, with
    analogy_semantic and analogy_syntactic (kinds called gram...), where there are any.

  Reference: Mikolov, Chen, Corrado, Dean 2013, arXiv:1301.3781, section 4 (analogies); Finkelstein et al. 2002,
  doi:10.1145/503104.503110 (similarity).
  """
  from scipy.stats import spearmanr

  x, _ = extract(subject.represent, subject.data.splits[split], label=None)
  x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
  figures, counts = {}, {}
  for name, (pairs, judged) in subject.data.info['similarity'].items():
    cosine = np.sum(x[pairs[:, 0]] * x[pairs[:, 1]], 1)
    # A table that has learned nothing may be constant, and then has no ranks to correlate.
    figures[name] = float(spearmanr(cosine, judged).statistic) if np.ptp(cosine) > 0 else 0.0
    counts[name] = len(pairs)
  right = {kind: add_cosines(x, asked) == asked[:, 3] for kind, asked in subject.data.info['analogies'].items()}
  groups = {'analogy': right.values()}
  for group, syntactic in (('analogy_semantic', False), ('analogy_syntactic', True)):
    groups[group] = [r for kind, r in right.items() if kind.startswith('gram') == syntactic]
  for group, parts in groups.items():
    if parts := list(parts):
      figures[group] = float(np.concatenate(parts).mean())
      counts[group] = sum(map(len, parts))
  return {**figures, 'asked': counts}


def add_cosines(x: np.ndarray, questions: np.ndarray, batch_size: int = 256) -> np.ndarray:
  """3CosAdd: argmax_w cos(w, b - a + c), w none of the three.

  Args:
    x: [v d] unit vectors.
    questions: [q 3 or more] rows a, b, c of x.
    batch_size: questions at once.

  Returns:
    [q] rows of x.

  Reference: Levy, Goldberg, CoNLL 2014, doi:10.3115/v1/W14-1618, Eq. 2.
  """
  answers = []
  for start in range(0, len(questions), batch_size):
    a, b, c = questions[start : start + batch_size, :3].T
    cosine = (x[b] - x[a] + x[c]) @ x.T
    for given in (a, b, c):
      cosine[np.arange(len(a)), given] = -np.inf
    answers.append(cosine.argmax(1))
  return np.concatenate(answers) if answers else np.zeros(0, int)
