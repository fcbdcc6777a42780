"""A guard against a slow copy of it in NumPy, and what it holds still."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.core.build import plan
from jssl.errors import ConfigError
from jssl.parts import guards
from tests.made import tiny


def course(guard, losses, norms):
  """What becomes of a state that counts its updates, and what the guard knows, step by step."""

  def step(carry, x):
    value, known = carry
    value, known = guards.choose(guard, known, *x, value + 1, value)
    return (value, known), (value, known)

  start = jnp.zeros(()), guards.start()
  return jax.jit(lambda x: jax.lax.scan(step, start, x)[1])((jnp.float32(losses), jnp.float32(norms)))


def test_moments_are_those_of_the_good_steps():
  rng = np.random.default_rng(0)
  losses = rng.normal(3, 0.5, 300).astype(np.float32)
  norms = rng.normal(1, 0.1, 300).astype(np.float32)
  losses[40], norms[41], losses[150], norms[200] = np.nan, np.inf, 30, 9
  value, known = course(guards.skip(spike=6.0), losses, norms)
  mean, variance, good = np.zeros(2), np.zeros(2), 0
  for i, x in enumerate(np.stack([losses, norms], 1).astype(np.float64)):
    bad = not np.isfinite(x).all() or (good >= guards.WINDOW and (x > mean + 6 * np.sqrt(variance)).any())
    assert bad == (i in (40, 41, 150, 200))
    if not bad:
      rate = 1 / min(good + 1, guards.WINDOW)
      away = x - mean
      mean, variance, good = mean + rate * away, (1 - rate) * (variance + rate * away**2), good + 1
    assert value[i] == good
    np.testing.assert_allclose(known['mean'][i], mean, rtol=1e-5)
    np.testing.assert_allclose(known['variance'][i], variance, rtol=1e-3, atol=1e-6)
  assert known['skipped'][-1] == 4 and not known['halted'][-1]
  np.testing.assert_allclose(known['mean'][-1], [3, 1], rtol=0.05)


@pytest.mark.parametrize(('guard', 'still_at'), [(guards.stop(), 2), (guards.roll_back(), 2), (guards.skip(most=2), 6)])
def test_halts_after_so_many_in_a_row_and_moves_no_more(guard, still_at):
  losses = np.ones(12)
  losses[[2, 4, 5, 6]] = np.nan
  value, known = course(guard, losses, np.ones(12))
  assert known['halted'].tolist() == [i >= still_at for i in range(12)]
  assert len(set(value[still_at:].tolist())) == 1
  assert value[-1] == sum(np.isfinite(losses[:still_at]))
  assert np.isnan(known['last_bad'][-1, 0]) and known['last_bad'][-1, 1] == 1


def test_configs_name_guards():
  assert plan(tiny('simclr')).guard == guards.Guard()
  assert plan(tiny('simclr', guard=None)).guard is None
  assert plan(tiny('simclr', guard=dict(name='skip', spike=5.0, most=3, collapse=2))).guard == guards.Guard(5.0, 3, 0, 2)
  for wrong, says in (
    (dict(name='skipp'), 'did you mean skip'),
    (dict(name='stop', most=3), "no option 'most'"),
    (dict(name='skip', most=0), 'at least 1'),
    (dict(name='stop', spike='big'), 'must be float'),
    (3, 'dict(name='),
  ):
    with pytest.raises(ConfigError) as error:
      plan(tiny('simclr', guard=wrong))
    assert says in str(error.value)
