"""The settings that a sweep tries: values of options, or ranges of numbers."""

import ast
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jssl.errors import UsageError

NUMBER = r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?'
RANGE = re.compile(rf'({NUMBER}):({NUMBER})(:log)?')


class Choice(NamedTuple):
  """Values of an option; a point is the index of one."""

  values: tuple[Any, ...]

  def at(self, point: int) -> Any:
    return self.values[point]


class Range(NamedTuple):
  """Numbers from low to high, whole ones if both are; a point is a number."""

  low: float
  high: float
  log: bool = False

  def at(self, point: float) -> float:
    return point


Space = Mapping[str, Choice | Range]


def parsed(option: str, given: str | Sequence[Any] | Choice | Range) -> Choice | Range:
  """The values of an option: a sequence, or a text 'a,b,c', 'LOW:HIGH' or 'LOW:HIGH:log'.

  Raises:
    UsageError: for a text that is neither, a value that is given twice, or a range without room.
  """
  if isinstance(given, Choice | Range):
    return given
  if isinstance(given, str) and (found := RANGE.fullmatch(given)):
    low, high = (ast.literal_eval(x) for x in found.groups()[:2])
    if not low < high or (found[3] and low <= 0):
      raise UsageError(f'{option}={given}: a range is LOW:HIGH with LOW below HIGH, and above 0 with :log')
    return Range(low, high, bool(found[3]))
  if isinstance(given, str):
    try:
      given = ast.literal_eval(f'({given},)') if given else ()
    except (ValueError, SyntaxError):
      given = given.split(',')  # texts need no quotes
  values = tuple(given)
  if not option or not values:
    raise UsageError(f'--over {option}: write --over x.y=a,b,c, or --over x.y=LOW:HIGH for a range')
  if len({repr(x) for x in values}) < len(values):
    raise UsageError(f'{option} has the same value twice; give each once')
  return Choice(values)


def read(texts: Sequence[str]) -> Space:
  """Option -> values, from arguments 'x.y=a,b,c'.

  Raises:
    UsageError: for none, one without values, or an option that is named twice.
  """
  space: dict[str, Choice | Range] = {}
  for text in texts:
    option, _, values = text.partition('=')
    if option in space:
      raise UsageError(f'--over {option} is given twice; give all its values at once, as x.y=a,b,c')
    space[option] = parsed(option, values)
  if not space:
    raise UsageError('a sweep needs the options that it tries: --over x.y=a,b,c')
  return space


def settings_of(space: Space, points: Mapping[str, Any]) -> list[str]:
  """The settings 'x.y=v' of a point of each option."""
  values = {option: space[option].at(point) for option, point in points.items()}
  return [f'{option}={x}' if isinstance(x, str) else f'{option}={x!r}' for option, x in values.items()]


def grid(space: Space) -> list[dict[str, int]]:
  """The points of all combinations.

  Raises:
    UsageError: if an option has a range.
  """
  if ranges := [option for option, of in space.items() if isinstance(of, Range)]:
    raise UsageError(f'{ranges[0]} has a range, of which a grid has no points; list its values, or give --sampler tpe or random')
  return [dict(zip(space, points, strict=True)) for points in itertools.product(*(range(len(of.values)) for of in space.values()))]


def corners(space: Space) -> list[dict[str, Any]]:
  """Points with every value of each option, and both ends of every range, once: the others are at their first."""
  ends = {option: range(len(of.values)) if isinstance(of, Choice) else (of.low, of.high) for option, of in space.items()}
  first = {option: of[0] for option, of in ends.items()}
  return [first] + [{**first, option: x} for option, of in ends.items() for x in of[1:]]
