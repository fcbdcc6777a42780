"""Examples of a split by number."""

import numpy as np

from jssl.types import Examples


def take(examples: Examples, rows: np.ndarray) -> dict[str, np.ndarray]:
  """The examples `rows` [b], stacked: column -> [b ...]; by the split's own `take` where it has one."""
  if hasattr(examples, 'take'):
    return examples.take(rows)
  found = [examples[int(row)] for row in rows]
  return {name: np.stack([np.asarray(example[name]) for example in found]) for name in found[0]}
