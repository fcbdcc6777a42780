"""Overlap of words between two texts."""

from collections import Counter
from collections.abc import Sequence


def rouge_f1(found: Sequence, reference: Sequence, *, n: int = 1) -> float:
  """F1 of the n-grams that two sequences share, each counted as often as it occurs.

  P = overlap / |n-grams of found|,   R = overlap / |n-grams of reference|,   F1 = 2 P R / (P + R)

  Args:
    found: words, or ids of tokens.
    reference: the same.
    n: length of the n-grams.

  Returns:
    From 0 to 1; 0 where either has none.

  Reference: Lin, ROUGE, Text Summarization Branches Out 2004, https://aclanthology.org/W04-1013, section 2.
  """
  grams = lambda words: Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
  a, b = grams(found), grams(reference)
  shared = (a & b).total()
  return 2 * shared / (a.total() + b.total()) if shared else 0.0
