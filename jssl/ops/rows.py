"""Examples of a split by number."""

from typing import Any

import numpy as np
from jaxtyping import Int, Shaped


def take(examples: Any, rows: Int[np.ndarray, ' b']) -> dict[str, Shaped[np.ndarray, 'b ...']]:
  """The examples `rows` [b] of a split, stacked: column -> [b ...]; by the split's own `take` where it has one."""
  if hasattr(examples, 'take'):
    return examples.take(rows)
  found = [examples[int(row)] for row in rows]
  return {name: np.stack([np.asarray(example[name]) for example in found]) for name in found[0]}
