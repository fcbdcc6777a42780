"""Fidelity to a paper: the numbered parts of its method, each implemented or omitted with a reason.

`c.parts` of a config is a tuple: a text for an implemented part, `dict(part=..., out=REASON, why=...)` for an omitted part.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jssl.errors import ConfigError

# Reasons to omit a part. The first three do not change the method of the paper.
SCALE, DATA, HARDWARE = 'scale', 'data', 'hardware'
REASONS = (SCALE, DATA, HARDWARE, 'unpublished', 'open')


class Part(NamedTuple):
  """One part of a paper's method."""

  text: str
  out: str | None = None  # the reason for the omission; None for an implemented part
  why: str = ''


def parts(config: Mapping[str, Any]) -> list[Part]:
  """The parts of a config, in order; empty if not specified.

  Raises:
    ConfigError: if a part is neither a text nor dict(part, out, why), or its reason is unknown.
  """
  found = []
  for number, given in enumerate(config.get('parts') or (), 1):
    given = given.to_dict() if hasattr(given, 'to_dict') else given
    part = Part(given) if isinstance(given, str) else Part(given.get('part', ''), given.get('out'), given.get('why', ''))
    if not part.text or (part.out is None) != isinstance(given, str) or part.out not in (None, *REASONS) or bool(part.out) != bool(part.why):
      raise ConfigError(
        f'part {number} is {given!r}; write a text for a part that is built, or dict(part=..., out=..., why=...) with out among {REASONS}'
      )
    found.append(part)
  return found


def fidelity(found: Sequence[Part]) -> str:
  """'faithful' if only scale, data or hardware are omitted, 'partial' if more is, 'unstated' without parts."""
  if not found:
    return 'unstated'
  return 'faithful' if all(part.out in (None, SCALE, DATA, HARDWARE) for part in found) else 'partial'
