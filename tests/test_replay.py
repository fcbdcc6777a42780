"""The first array that is not finite, found through calls, loops, branches and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.errors import ConfigError
from jssl.replay import replay, walk

GIVEN = {'params': {'backbone': jnp.eye(3), 'head': jnp.ones((3, 2))}, 'x': jnp.arange(3.0)}


def named(name, function):
  return jax.named_scope(name)(function)


def first(function, given=None):
  (value,) = walk(function, given or GIVEN, ('nce', 'mask'))
  return value.origin


def test_finite():
  assert first(lambda g: jnp.sum(g['x'] @ g['params']['backbone'])) is None


@pytest.mark.parametrize(
  'through',
  [
    jnp.log,
    jax.jit(jnp.log),
    jax.checkpoint(jnp.log),
    lambda x: jax.lax.scan(lambda c, x: (c + jnp.log(x), x), 0.0, x)[0] + x,
    lambda x: jax.lax.map(jnp.log, x),
    lambda x: jax.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.where(s[0] > 0, jnp.log(s[1]), s[1])), (0, x))[1],
    jax.vmap(lambda x: jax.lax.while_loop(lambda s: s[0] < 3 + x, lambda s: (s[0] + 1, jnp.log(s[1])), (0, x))[1]),
    lambda x: jax.lax.cond(x[1] > 0, jnp.log, jnp.exp, x),
    jax.jit(lambda x: jax.nn.relu(jnp.log(x)) + jnp.log(x)),
  ],
)
def test_operation_part_and_network(through):
  found = first(lambda g: jnp.sum(named('nce', lambda x: through(x))(g['x'] @ g['params']['backbone']) @ g['params']['head'][:, 0]))
  assert (found.operation, found.part, found.network) == ('log', 'nce', 'backbone')
  assert found.inf == 1 and found.nan == 0 and 'test_replay.py' in found.where and '[0, ' in found.inputs


def test_a_nan_is_made_of_an_infinity():
  found = first(lambda g: jnp.sum(jnp.log(g['x']) * g['x']))
  assert (found.operation, found.nan, found.because.operation) == ('mul', 1, 'log')


def test_an_infinity_that_leads_nowhere_is_passed_by():
  """Masked logits are infinite by intention."""

  def loss(g):
    masked = jnp.where(g['x'] > 0, g['x'], -jnp.inf)
    return jnp.sum(jax.nn.softmax(masked)) + jnp.sum(named('mask', jnp.sqrt)(g['x'] - 1))

  found = first(loss)
  assert (found.operation, found.part, found.because) == ('sqrt', 'mask', None)


def test_without_what_jax_remembers_of_an_operation(monkeypatch):
  """No part of its public interface: the operation is named all the same."""
  monkeypatch.setattr('jssl.replay._told', lambda eqn, what: None)
  found = first(lambda g: jnp.sum(named('nce', jnp.log)(g['x'] @ g['params']['backbone'])))
  assert (found.operation, found.network, found.part, found.where) == ('log', 'backbone', None, 'an unknown line')


def test_gradient_alone():
  gradient = jax.grad(lambda w, x: jnp.sum(jnp.sqrt(w * x[:, None])))
  found = first(lambda g: gradient(g['params']['head'], g['x']))
  assert found.inf + found.nan and 'test_replay.py' in found.where


def test_inputs():
  given = GIVEN | {'x': np.array([1, np.nan, np.inf], np.float32)}
  found = first(lambda g: jnp.sum(g['x'] @ g['params']['backbone']), given)
  assert (found.operation, found.where, found.nan, found.inf) == ('the input', 'x', 1, 1)


def test_folders_without_a_capture(tmp_path):
  with pytest.raises(ConfigError, match='not a captured step'):
    replay(tmp_path)
  (tmp_path / 'config.json').write_text('{}')
  with pytest.raises(ConfigError, match='did not stop this run'):
    replay(tmp_path)
