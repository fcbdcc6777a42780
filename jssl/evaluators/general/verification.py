"""Are two examples of the same identity? For identities that training has not seen."""

import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import finite
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import products
from jssl.metrics.verification import equal_error_rate
from jssl.ops.normalize import l2_normalize
from jssl.types import Key


def embedded(subject: Subject, x: np.ndarray, heads: tuple[str, ...]) -> np.ndarray:
  """Features [n d] after those heads that the subject has: raw input has none."""
  for head in heads:
    x = subject.networks[head](x) if subject.networks else x
  return finite(np.asarray(x, np.float32), f'the outputs of {heads[-1]!r}' if heads and subject.networks else 'the features')


@protocol('2', needs=(*TRAIN, *TEST, 'nets.{heads}'), fits=needs.classes)
def verification(subject: Subject, key: Key, *, heads: tuple[str, ...] = ('projector',)) -> dict[str, float]:
  """Protocol verification: the equal error rate of the cosine over all pairs of the test split.

  Args:
    subject: whose test split has `label`, the identity.
    key: not used, there is no chance in it.
    heads: on the features, in turn.

  Returns:
    eer, between 0 and 0.5 for anything useful: lower is better. The numbers of pairs beside it.
  """
  z = np.asarray(l2_normalize(embedded(subject, subject.frozen.test_x, heads)))
  first, second = np.triu_indices(len(z), 1)
  same = subject.frozen.test_y[first] == subject.frozen.test_y[second]
  eer = equal_error_rate(products(z, z)[first, second], same)
  return {'eer': eer, 'same_pairs': int(same.sum()), 'other_pairs': int((~same).sum())}
