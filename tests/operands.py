"""What a program multiplies in."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from jax import lax


def operands(jaxpr: Any, left_out: Sequence[str] = ()) -> Counter[tuple[str, ...]]:
  """How many products and convolutions a jaxpr has, by the types of their operands; those under names that hold one of `left_out` apart."""
  found: Counter[tuple[str, ...]] = Counter()
  for e in jaxpr.eqns:
    if any(name in str(e.source_info.name_stack) for name in left_out):
      continue
    if e.primitive.name in ('dot_general', 'conv_general_dilated'):
      half = e.params.get('precision') == lax.DotAlgorithmPreset.BF16_BF16_F32  # attention: a float32 gradient is rounded before it
      found[('bfloat16',) * 2 if half else tuple(x.aval.dtype.name for x in e.invars)] += 1
    for value in e.params.values():
      for x in value if isinstance(value, tuple | list) else (value,):
        if hasattr(x := getattr(x, 'jaxpr', x), 'eqns'):
          found += operands(x, left_out)
  return found
