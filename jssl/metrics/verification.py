"""Error rates of verification."""

import numpy as np
from jaxtyping import Bool, Float


def equal_error_rate(scores: Float[np.ndarray, ' n'], same: Bool[np.ndarray, ' n']) -> float:
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
