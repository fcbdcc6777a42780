"""Are two examples of the same identity? For identities that training has not seen."""

import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.ranking import products
from jssl.evaluators.subject import Subject
from jssl.parts.gradients import l2_normalize
from jssl.types import Key


def embedded(subject: Subject, x: np.ndarray, heads: tuple[str, ...]) -> np.ndarray:
  """Features [n d] after those heads that the subject has: raw input has none."""
  for head in heads:
    x = subject.networks[head](x) if subject.networks else x
  return finite(np.asarray(x, np.float32), f'the outputs of {heads[-1]!r}' if heads and subject.networks else 'the features')


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


def equal_error_rate(scores: np.ndarray, same: np.ndarray) -> float:
  """Where as many of the pairs that match are refused as others are accepted: the mean of both rates where they meet.

  Args:
    scores: [n], higher for pairs that should match.
    same: [n] bool.

  Reference: Martin, Doddington, Kamm, Ordowski, Przybocki, The DET curve in assessment of detection task performance,
    Eurospeech 1997, doi:10.21437/Eurospeech.1997-504.
  """
  order = np.argsort(-scores, kind='stable')
  last = np.append(np.diff(scores[order]) != 0, True)  # thresholds only between different scores
  missed = (1 - np.cumsum(same[order]) / same.sum())[last]
  accepted = (np.cumsum(~same[order]) / (~same).sum())[last]
  meet = np.argmin(np.abs(missed - accepted))
  return float((missed[meet] + accepted[meet]) / 2)
