"""A number of each example told from frozen features, where only some examples to train on have it."""

from jssl.evaluators.regression import regression
from jssl.evaluators.subject import Subject
from jssl.types import Key


def labelled_regression(subject: Subject, key: Key, *, fit: str = 'labelled', column: str = 'truth') -> dict[str, float]:
  """Protocol labelled_regression: as `regression`, fitted to a split of its own.

  Args:
    subject: of data with the splits `fit` and 'test', which have the column.
    key: not used.
    fit: the split that the regression is fitted to.
    column: what is told.

  Returns:
    As there.
  """
  splits = {'train': subject.data.splits[fit], 'test': subject.data.splits['test']}
  return regression(Subject(subject.data._replace(splits=splits), subject.represent), key, column=column)
