"""What an oracle is: an objective once more, slow and in float64, written from the paper without looking at ours."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Case = tuple[tuple, dict[str, Any]]  # positional and keyword arguments, arrays in float32


class Oracle(NamedTuple):
  """An independent form of an objective.

  `function(sg, *args, **kwargs)` gets float64 arrays and returns what the objective returns. Everything whose gradient
  the paper stops goes through `sg`. `cases` has ordinary arguments; `degenerate` those at which the value and the
  gradient must merely be finite, made from the first case if absent. `learned` names scalar keyword arguments whose
  gradient counts too.
  """

  function: Callable[..., Any]
  cases: Callable[[np.random.Generator], list[Case]]
  degenerate: Callable[[np.random.Generator], list[Case]] | None = None
  learned: tuple[str, ...] = ()


class StopGradient:
  """Remembers what passes through it, then gives the same back however the arguments move."""

  def __init__(self):
    self.kept, self.at = [], None

  def __call__(self, x):
    if self.at is None:
      self.kept.append(np.copy(x))
      return x
    self.at += 1
    return self.kept[self.at - 1]

  def replay(self):
    self.at = 0


def differentiable(x: Any) -> bool:
  return isinstance(x, np.ndarray) and x.dtype.kind == 'f'


def double(x: Any) -> Any:
  return x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype.kind not in 'biu' else x


def directional(oracle: Oracle, case: Case, directions: list[list[np.ndarray]], h: float = 1e-6) -> np.ndarray:
  """Central differences of the mean loss along each direction: one array a differentiated argument."""
  args, kwargs = [double(x) for x in case[0]], {name: double(x) for name, x in case[1].items()}
  moving = [i for i, x in enumerate(args) if differentiable(x)]
  sg = StopGradient()
  oracle.function(sg, *args, **kwargs)

  def along(direction, step):
    sg.replay()
    there, options = list(args), dict(kwargs)
    for i, v in zip(moving, direction, strict=False):
      there[i] = args[i] + step * v
    for name, v in zip(oracle.learned, direction[len(moving) :], strict=True):
      options[name] = kwargs[name] + step * v
    return np.mean(oracle.function(sg, *there, **options))

  return np.array([(along(v, h) - along(v, -h)) / (2 * h) for v in directions])
