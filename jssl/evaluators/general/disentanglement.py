"""Disentanglement: whether each feature of a code encodes a single factor of the data."""

import numpy as np

from jssl.evaluators.features import extract
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Key


@protocol('2', needs=('train.{inputs}', 'train.{column}', 'train.{label}', 'test.{inputs}', 'test.{column}', 'test.{label}'), raw=False)
def disentanglement(
  subject: Subject, key: Key | None = None, *, column: str = 'factors', label: str = 'label', trees: int = 40, depth: int = 8
) -> dict[str, float]:
  """The `disentanglement` protocol: the importance of each feature for predicting each factor, by random forests (DCI).

  R_ij = importance of feature i in the forest that predicts factor j;   P_ij = R_ij / sum_j R_ij;   Q_ij = R_ij / sum_i R_ij
  disentanglement = sum_i rho_i (1 - H_K(P_i)),   rho_i = sum_j R_ij / sum_ij R_ij
  completeness = mean_j (1 - H_D(Q_j))

  K is the number of factors and the base of the first entropy, D the number of features and the base of the second.

  Args:
    subject: its data have `column`, [k] per example, and `label`, the class, as an additional factor.
    key: unused; the seed of the forests is fixed by the protocol.
    column, label: the factors.
    trees, depth: number of trees of a forest, and their maximal depth.

  Returns:
    disentanglement, completeness, and informativeness: the mean over factors of R^2, and accuracy for the class, on test.

  Reference: Eastwood, Williams, ICLR 2018, 'A framework for the quantitative evaluation of disentangled representations', section 2 (D, C, I);
    the paper uses forests too.
  """
  del key
  from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

  of = lambda split, name: extract(subject.represent, subject.data.splits[split], label=name)
  (x, factors), (test_x, test_factors) = of('train', column), of('test', column)
  classes, test_classes = of('train', label)[1], of('test', label)[1]
  found, told = [], []
  for j in range(factors.shape[1] + 1):
    numbers = j < factors.shape[1]
    kind = RandomForestRegressor if numbers else RandomForestClassifier
    forest = kind(n_estimators=trees, max_depth=depth, max_features=1.0 if numbers else None, random_state=0)
    forest.fit(x, factors[:, j] if numbers else classes)
    found.append(forest.feature_importances_)
    told.append(forest.score(test_x, test_factors[:, j] if numbers else test_classes))
  importance = np.stack(found, 1)
  d, k = importance.shape
  share = importance.sum(1) / max(importance.sum(), 1e-12)
  return {
    'disentanglement': float(np.sum(share * (1 - _entropy(importance, 1) / np.log(k)))),
    'completeness': float(np.mean(1 - _entropy(importance, 0) / np.log(d))),
    'informativeness': float(np.mean(told)),
  }


def _entropy(x: np.ndarray, axis: int) -> np.ndarray:
  total = x.sum(axis, keepdims=True)  # 0 without any importance: then all entries are equally important
  p = np.where(total > 0, x / np.maximum(total, 1e-12), 1 / x.shape[axis])
  return -np.sum(p * np.log(np.maximum(p, 1e-12)), axis)
