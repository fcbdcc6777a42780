"""Judges of what vectors of texts and words mean: human similarity, guarded attributes, heads that were trained."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import extract, finite
from jssl.evaluators.ranking import correlations, hits
from jssl.evaluators.subject import Subject
from jssl.parts.logistic import logistic, logits
from jssl.types import Key, Transform


def cosines(x: np.ndarray, pairs: np.ndarray) -> np.ndarray:
  """Cosine of each pair [k 2] of rows of x [n d]."""
  x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
  return np.sum(x[pairs[:, 0]] * x[pairs[:, 1]], 1)


def retrofitted(subject: Subject, key: Key, *, transform: Transform | None = None) -> dict[str, float]:
  """Correlation of cosines of words with human judgements, once a graph has pulled at them.

  Args:
    subject: of data whose `info` has edges [m 2] and similarity: name -> (pairs [k 2], scores [k]).
    key: unused.
    transform: of the vectors [n d] by the edges, such as `retrofit`; None leaves them as they are.

  Returns:
    Spearman's correlation of each set of pairs, 0 for constant vectors.

  Reference: Faruqui et al. 2015, arXiv:1411.4166, section 4.1.
  """
  del key
  x, _ = extract(subject.represent, subject.data.splits['train'], 64, label=None)
  if transform:
    x = finite(transform.apply(transform.fit(x, jnp.asarray(subject.data.info['edges'])), x), 'the transformed vectors')
  return {
    name: correlations(cosines(x, pairs), scores)['spearman']
    for name, (pairs, scores) in subject.data.info['similarity'].items()
  }


def guarded(subject: Subject, key: Key, *, attribute: str, l2: float = 1e-4) -> dict[str, float]:
  """What a linear classifier still reads of an attribute, and how much another, of the label, leans on it.

  gap_y = P(says y | attribute 1, y) - P(says y | attribute 0, y); the root of its mean square over labels is told

  Args:
    subject: of data with a label and a binary attribute.
    key: unused.
    attribute: its column.
    l2: penalty of both classifiers, on standardised features.

  Returns:
    'attribute_top1', 'label_top1' and 'tpr_gap', on 'test'.

  Reference: De-Arteaga et al. 2019, arXiv:1901.09451, section 4; Ravfogel et al. 2020, arXiv:2004.07667, section 6.3.
  """
  del key
  splits = [subject.data.splits[name] for name in ('train', 'test')]
  (a, y), (b, truth) = (extract(subject.represent, split, 64) for split in splits)
  z, hidden = (np.array([split[i][attribute] for i in range(len(split))]) for split in splits)
  mean, std = a.mean(0), a.std(0)
  scale = np.where(std > 1e-4 * max(std.max(), 1e-12), 1 / np.maximum(std, 1e-12), 0.0)
  a, b = (a - mean) * scale, (b - mean) * scale
  fit = jax.jit(partial(logistic, l2=l2))
  says = lambda labels, of: hits(logits(fit(a, jax.nn.one_hot(labels, int(max(labels.max(), of.max())) + 1)), b), of, 1e-6)
  right = says(y, truth)
  of = lambda value, c: right[(truth == c) & (hidden == value)]
  gaps = [of(1, c).mean() - of(0, c).mean() for c in np.unique(truth) if len(of(1, c)) and len(of(0, c))]
  if not gaps:
    raise ValueError(f'no label of the test split has examples with {attribute!r} 0 and 1 both; expected both, to compare their rates')
  return dict(
    attribute_top1=float(says(z, hidden).mean()), label_top1=float(right.mean()),
    tpr_gap=float(np.sqrt(np.mean(np.square(gaps)))),
  )  # fmt: skip


def prediction(subject: Subject, key: Key, *, head: str = 'classifier') -> dict[str, float]:
  """Accuracy on 'test' of a head that was trained along with the representation.

  Args:
    subject: with that head among its networks.
    key: unused.
    head: its name.

  Returns:
    'top1'.
  """
  del key
  x, y = extract(subject.represent, subject.data.splits['test'])
  return dict(top1=float(hits(finite(subject.networks[head](jnp.asarray(x)), f'the outputs of {head!r}'), y).mean()))
