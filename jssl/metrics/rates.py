"""Rates by group."""

import numpy as np
from jaxtyping import Shaped


def rate_gap(right: Shaped[np.ndarray, ' n'], labels: Shaped[np.ndarray, ' n'], attribute: Shaped[np.ndarray, ' n']) -> float:
  """Root mean square over labels of the difference of true positive rates between the two groups of an attribute.

      gap_y = P(right | attribute 1, label y) - P(right | attribute 0, label y)

  Args:
    right: whether each example is classified right, 0 to 1.
    labels: their classes; those with examples of one group alone are left out.
    attribute: 0 or 1.

  Raises:
    ValueError: no label has examples of both groups.

  Reference: De-Arteaga et al. 2019, arXiv:1901.09451, section 4.
  """
  of = lambda value, c: right[(labels == c) & (attribute == value)]
  gaps = [of(1, c).mean() - of(0, c).mean() for c in np.unique(labels) if len(of(1, c)) and len(of(0, c))]
  if not gaps:
    raise ValueError('no label has examples of both groups; expected both attributes 0 and 1, to compare their rates')
  return float(np.sqrt(np.mean(np.square(gaps))))
