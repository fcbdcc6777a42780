"""Whatever arrays come in, as long as they are finite: the value and the gradient are finite too."""

import inspect

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.objectives import OBJECTIVES
from tests.objectives.test_oracles import evaluate, random
from tests.oracles import ORACLES

# Each objective has two sizes of these: one program a size is compiled, and then used for all that is drawn.
SIZES = (1, 64, 2, 17, 3)
# Not larger: logits of 1e9 are rounded by more than exp can span, and a fused softmax of them may be all zeros.
SCALES = (1e-30, 1e-10, 1e-3, 1.0, 1e3, 1e5)
# These cut the batch into groups of a size of their own, need more rows than features, or take a table of pairs.
FIXED = ('care', 'w_mse', 'allo', 'mmd', 'triplet', 'wcord_scores', 'paired_cross_entropy')
# Its eps is absolute: a large covariance of less than full rank has no factor in float32.
SMALL = ('w_mse',)


def resized(case, size):
  """The case with its first axis repeated or cut to `size`."""
  args, kwargs = case
  b = len(args[0])
  fit = lambda x: np.resize(x, (size, *x.shape[1:])) if np.ndim(x) and len(x) == b else x
  return tuple(map(fit, args)), {n: fit(x) for n, x in kwargs.items()}


def is_mask(x):
  return set(np.unique(x)) <= {0, 1}


@st.composite
def shaken(draw, x, most=np.inf):
  """The same rows at another scale, zero, equal, or with one among them unlike the others."""
  if not isinstance(x, np.ndarray) or x.dtype.kind != 'f':
    return x
  if is_mask(x):
    return draw(st.sampled_from((x, np.zeros_like(x), np.ones_like(x), 1 - x)))
  if x.min() >= 0:  # a probability, a length, a weight: its range is part of what it means
    return x
  x = x * np.float32(draw(st.sampled_from([scale for scale in SCALES if scale <= most])))
  i = draw(st.integers(0, len(x) - 1))
  one = np.arange(len(x)).reshape(-1, *(1,) * (x.ndim - 1)) == i
  return draw(
    st.sampled_from(
      (x, 0 * x, x[:1] + 0 * x, np.where(one, 0, x), np.where(one, x, 0), np.where(one, 30 * x, x), x.mean() + 0 * x, abs(x), -abs(x))
    )
  ).astype(np.float32)


@st.composite
def cases(draw, name):
  found = ORACLES[name].cases(random(name))
  i = sorted(OBJECTIVES).index(name)
  size = draw(st.sampled_from((SIZES[i % 5], SIZES[(i + 1) % 5])))
  args, kwargs = draw(st.sampled_from((found[0], found[-1]))) if name in FIXED else resized(found[-1], size)
  # A logarithm of thousands stands for a number that float32 does not have.
  named = zip(inspect.signature(OBJECTIVES[name]).parameters, args, strict=False)
  args = [x if n.startswith('log_') else draw(shaken(x, 1e-3 if name in SMALL else np.inf)) for n, x in named]
  if {'q', 'k'} <= set(inspect.signature(OBJECTIVES[name]).parameters) and args[0].shape == args[1].shape and draw(st.booleans()):
    args[1] = args[0]  # two views that are the same
  for n in {'ids', 'labels'} & set(kwargs):
    kwargs[n] = draw(st.sampled_from((kwargs[n], np.zeros_like(kwargs[n]))))
  return tuple(args), kwargs


@pytest.mark.parametrize('name', sorted(OBJECTIVES))
@pytest.mark.rotating
def test_finite(name):
  @settings(max_examples=16, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
  @given(cases(name))
  def check(case):
    mean, _, gradient = evaluate(name, case)
    assert np.isfinite(mean)
    assert all(np.isfinite(g).all() for g in gradient)

  check()
