"""Evaluation of a classifier's outputs: accuracy and confidence."""

import jax
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import extract
from jssl.evaluators.figures import accuracy
from jssl.evaluators.general.verification import embedded
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits
from jssl.types import Key


@protocol('2', needs=(*TRAIN, *TEST, 'nets.{heads}'), raw=False, fits=needs.classes)
def classify(subject: Subject, key: Key, *, heads: tuple[str, ...] = ('classifier',)) -> dict[str, float]:
  """The `classify` protocol: the accuracy of a trained classifier on the test split."""
  logits = embedded(subject, subject.frozen.test_x, heads)
  return accuracy(hits(logits, subject.frozen.test_y))


@protocol('2', needs=(*TRAIN, *TEST, '{split}.{inputs}', 'nets.{heads}'), raw=False, fits=needs.classes)
def ood(subject: Subject, key: Key, *, heads: tuple[str, ...] = ('classifier',), split: str = 'outside') -> dict[str, float]:
  """The `ood` protocol: detection of out-of-distribution examples and of misclassifications by the evidence of a Dirichlet distribution.

  a = softplus(logits) + 1, A = sum_j a_j; areas under the receiver operating characteristic

  Args:
    subject: its data have a split of examples that belong to no class.
    key: unused; the protocol is deterministic.
    heads: applied to the features, in order; the last one outputs logits.
    split: the name of that split.

  Returns:
    auroc_evidence of A and auroc_probability of max a/A, test examples against the other split; auroc_mistakes of max a/A, correct against
    misclassified test examples; top1.

  Reference: Deng, Chen, Yu, Liu, Heng 2023, arXiv:2303.02045, section 4, where the area is under the precision-recall curve.
  """
  from sklearn.metrics import roc_auc_score

  def concentration(features):
    return np.asarray(jax.nn.softplus(embedded(subject, features, heads)) + 1, np.float64)

  inside, labels = concentration(subject.frozen.test_x), subject.frozen.test_y
  beyond = concentration(extract(subject.represent, subject.data.splits[split], label=None)[0])
  known = np.repeat([1, 0], [len(inside), len(beyond)])
  evidence = np.concatenate([inside.sum(1), beyond.sum(1)])
  sure = np.concatenate([a.max(1) / a.sum(1) for a in (inside, beyond)])
  right = inside.argmax(1) == labels
  mistakes = roc_auc_score(right, sure[: len(inside)]) if 0 < right.mean() < 1 else 0.5
  return {
    **accuracy(hits(inside, labels)),
    'auroc_evidence': float(roc_auc_score(known, evidence)),
    'auroc_probability': float(roc_auc_score(known, sure)),
    'auroc_mistakes': float(mistakes),
  }
