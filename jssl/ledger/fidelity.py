"""How much of a paper's method is built: the numbered parts of its row in the list of papers, each built or left out with the reason.

`c.parts` of a config is a tuple: a text for a part that is built, `dict(part=..., out=REASON, why=...)` for one that is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jssl.errors import ConfigError

# Why a part is left out. The first three leave the method as it is in the paper.
SCALE, DATA, HARDWARE = 'scale', 'data', 'hardware'
REASONS = (SCALE, DATA, HARDWARE, 'unpublished', 'open')


class Part(NamedTuple):
  """One part of a paper's method."""

  text: str
  out: str | None = None  # the reason why it is left out; None where it is built
  why: str = ''


def parts(config: Mapping[str, Any]) -> list[Part]:
  """The parts of a config, in order; none where it does not say.

  Raises:
    ConfigError: a part is neither a text nor dict(part, out, why), or its reason is none of those known.
  """
  found = []
  for number, given in enumerate(config.get('parts') or (), 1):
    given = given.to_dict() if hasattr(given, 'to_dict') else given
    part = Part(given) if isinstance(given, str) else Part(given.get('part', ''), given.get('out'), given.get('why', ''))
    if not part.text or (part.out is None) != isinstance(given, str) or part.out not in (None, *REASONS) or bool(part.out) != bool(part.why):
      raise ConfigError(
        f'part {number} is {given!r}; write a text where it is built, or dict(part=..., out=..., why=...) with out among {REASONS}'
      )
    found.append(part)
  return found


def fidelity(found: Sequence[Part]) -> str:
  """'faithful' where all that is left out is scale, data or hardware, 'partial' where more is, 'unstated' without parts."""
  if not found:
    return 'unstated'
  return 'faithful' if all(part.out in (None, SCALE, DATA, HARDWARE) for part in found) else 'partial'
