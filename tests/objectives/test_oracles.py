"""Every objective against its oracle: value, gradient, degenerate arguments, bfloat16, documentation.

Everything runs jitted with all numbers traced, since any number may be a schedule.
"""

import inspect
import re
from functools import cache, partial

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from tests.objectives import OBJECTIVES
from tests.oracles import ORACLES, StopGradient, differentiable, directional, double

NAMES = sorted(OBJECTIVES)
VALUE = 1e-5  # relative, float32 against float64
GRADIENT = 1e-5  # relative, over several directions together
# bfloat16 arguments: nothing is rounded but the arguments and the gradient that comes back, at worst by 2^-9 an entry.
BFLOAT16 = 2.0**-8


@cache
def evaluator(name, moving, learned, static):
  """jitted (arguments, options) -> ((mean, loss), gradient by the arguments `moving` and the options `learned`)."""

  def function(moved, args, options):
    moved = dict(zip(moving + learned, moved, strict=True))
    args = [moved.get(i, x) for i, x in enumerate(args)]
    loss = OBJECTIVES[name](*args, **options | {n: moved[n] for n in learned} | dict(static))
    return jnp.mean(loss), loss

  return jax.jit(jax.value_and_grad(function, has_aux=True))


def evaluate(name, case, dtype=jnp.float32):
  """Mean, loss and gradient; the gradient's entries stand in the order that `directional` uses."""
  args, kwargs = case
  numbers = {n: p.default for n, p in inspect.signature(OBJECTIVES[name]).parameters.items() if isinstance(p.default, float)}
  options = {n: jnp.asarray(x) for n, x in {**numbers, **kwargs}.items() if not isinstance(x, int | bool)}
  static = tuple((n, x) for n, x in kwargs.items() if n not in options)
  learned = ORACLES[name].learned
  moving = tuple(i for i, x in enumerate(args) if differentiable(x))
  moved = [jnp.asarray(args[i], dtype) for i in moving] + [options[n] for n in learned]
  (mean, loss), gradient = evaluator(name, moving, learned, static)(moved, args, options)
  return mean, loss, [np.asarray(g, np.float64) for g in gradient]


def values(name, case):
  args, kwargs = case
  return ORACLES[name].function(StopGradient(), *map(double, args), **{n: double(x) for n, x in kwargs.items()})


def error(found, expected):
  found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
  return np.linalg.norm(found - expected) / max(np.linalg.norm(expected), 1e-12)


def rounded(case):
  """The case with its differentiable arguments rounded to bfloat16, in float32."""
  args, kwargs = case
  return tuple(x.astype(ml_dtypes.bfloat16).astype(np.float32) if differentiable(x) else x for x in args), kwargs


def degenerate(name, rng):
  """Zero vectors, equal rows, equal views, huge, tiny and lonely examples, made from the first case."""
  if ORACLES[name].degenerate:
    return ORACLES[name].degenerate(rng)
  args, kwargs = ORACLES[name].cases(rng)[0]
  alone = {n: x[:1] if n in ('ids', 'labels') else x for n, x in kwargs.items()}
  return [
    (tuple(np.zeros_like(x) for x in args), kwargs),
    (tuple(np.repeat(x[:1], len(x), 0) for x in args), kwargs),
    (args[:1] * len(args), kwargs),
    (tuple(np.float32(1e4) * x for x in args), kwargs),
    (tuple(np.float32(1e-20) * x for x in args), kwargs),
    (tuple(x[:1] for x in args), alone),
  ]


def random(name: str):
  return np.random.default_rng(sum(map(ord, name)))


@pytest.mark.parametrize('name', NAMES)
def test_objective(name):
  rng = random(name)
  for case in ORACLES[name].cases(rng):
    expected = values(name, case)
    _, loss, gradient = evaluate(name, case)
    assert loss.dtype == jnp.float32 and loss.shape == np.shape(expected)
    assert error(loss, expected) < VALUE
    directions = [[rng.normal(size=g.shape) for g in gradient] for _ in range(6)]
    found = [sum(np.sum(g * v) for g, v in zip(gradient, direction, strict=True)) for direction in directions]
    assert error(found, directional(ORACLES[name], case, directions)) < GRADIENT


@pytest.mark.parametrize('name', NAMES)
def test_bfloat16(name):
  case = rounded(ORACLES[name].cases(random(name))[0])
  _, _, gradient = evaluate(name, case)
  _, loss, found = evaluate(name, case, jnp.bfloat16)
  assert loss.dtype == jnp.float32
  assert error(loss, values(name, case)) < VALUE
  for f, g in zip(found, gradient, strict=True):
    assert error(f, g) < BFLOAT16


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.rotating
def test_finite_where_degenerate(name):
  for case in degenerate(name, random(name)):
    mean, _, gradient = evaluate(name, case)
    assert np.isfinite(mean), case
    assert all(np.isfinite(g).all() for g in gradient), case


@pytest.mark.parametrize('name', NAMES)
def test_documented(name):
  text = inspect.getdoc(OBJECTIVES[name])
  for part in ('Args:', 'Returns:', 'Reference:'):
    assert part in text, f'{name} lacks {part}'
  reference = text.split('Reference:')[1]
  assert re.search(r'arXiv:\d{4}\.\d{4,5}|doi:10\.', reference), 'a reference has an arXiv number or DOI'
  assert re.search(r'Eq\.|[Ss]ection|Algorithm|Figure|Table', reference), 'a reference has a locator'
  for parameter in inspect.signature(OBJECTIVES[name]).parameters:
    assert re.search(rf'^  {parameter}: ', text, re.M), f'{name} does not describe {parameter}'


def test_every_objective_has_an_oracle():
  assert set(OBJECTIVES) == set(ORACLES)


def of_embeddings(name):
  """Those of `q` and `k` that an objective takes, where it needs no other array."""
  parameters = inspect.signature(OBJECTIVES[name]).parameters
  needed = {n for n, p in parameters.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
  return [n for n in ('q', 'k') if n in parameters] if 'q' in needed <= {'q', 'k'} else []


@pytest.mark.parametrize('name', [n for n in NAMES if of_embeddings(n)])
def test_memory_grows_with_the_square_of_the_batch_at_most(name):
  """No intermediate array, forward or backward, of size b b d."""
  b, d = 24, 40
  _, kwargs = ORACLES[name].cases(random(name))[0]
  wide = dict(labels=np.arange(b), covariance=np.eye(d), centre=np.ones(d))
  wide |= dict.fromkeys(('support', 'negatives', 'surrogate_q', 'surrogate_k', 'guide_q', 'guide_k', 'noise', 'queue'), np.ones((b, d)))
  objective = partial(OBJECTIVES[name], **{n: wide.get(n, x) for n, x in kwargs.items()})
  x = jnp.ones((b, d))
  count = len(of_embeddings(name))
  jaxpr = jax.make_jaxpr(jax.grad(lambda *x: jnp.mean(objective(*x)), range(count)))(*[x] * count)

  def largest(jaxpr):
    sizes = [v.aval.size for eqn in jaxpr.eqns for v in eqn.outvars]
    return max(sizes + [largest(inner) for eqn in jaxpr.eqns for inner in jaxprs_in_params(eqn.params)])

  assert largest(jaxpr.jaxpr) <= 2 * max(b, d) ** 2
