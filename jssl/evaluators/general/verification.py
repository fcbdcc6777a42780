"""Verification: whether two examples have the same identity, for identities that are not in the training data."""

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
  """Features [n d] after the given heads that the subject has; raw input has none."""
  for head in heads:
    x = subject.networks[head](x) if subject.networks else x
  return finite(np.asarray(x, np.float32), f'the outputs of {heads[-1]!r}' if heads and subject.networks else 'the features')


@protocol('2', needs=(*TRAIN, *TEST, 'nets.{heads}'), fits=needs.classes)
def verification(subject: Subject, key: Key, *, heads: tuple[str, ...] = ('projector',)) -> dict[str, float]:
  """The `verification` protocol: the equal error rate of the cosine over all pairs of the test split.

  Args:
    subject: its test split has `label`, the identity.
    key: unused; the protocol is deterministic.
    heads: applied to the features, in order.

  Returns:
    eer, below 0.5 if better than chance: lower is better; and the numbers of pairs.
  """
  z = np.asarray(l2_normalize(embedded(subject, subject.frozen.test_x, heads)))
  first, second = np.triu_indices(len(z), 1)
  same = subject.frozen.test_y[first] == subject.frozen.test_y[second]
  eer = equal_error_rate(products(z, z)[first, second], same)
  return {'eer': eer, 'same_pairs': int(same.sum()), 'other_pairs': int((~same).sum())}
