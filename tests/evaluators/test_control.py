"""Protocols of control give known figures to known representations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from jssl.data.control import rollouts
from jssl.evaluators.control.column_cosine import column_cosine
from jssl.evaluators.control.control import cloning, control
from jssl.evaluators.control.laplacian import laplacian
from jssl.evaluators.general.regression import regression, ridge
from jssl.evaluators.subject import Subject
from jssl.tables import EVALUATORS
from jssl.types import Features


@pytest.fixture(scope='module')
def rooms():
  return rollouts.rooms(episodes=32, test=16)


def flat(x):
  x = x.reshape(len(x), -1)
  return Features(x[:, None], x)


def test_ridge_is_scikit_learns():
  random = np.random.RandomState(0)
  x, y = random.randn(50, 4).astype(np.float32), random.randn(50, 2).astype(np.float32)
  z = (x - x.mean(0)) / x.std(0)
  expected = Ridge(alpha=0.1 * 50).fit(z, y).predict(z)
  np.testing.assert_allclose(ridge(x, y, l2=(0.1,))(x), expected, atol=1e-4)


def test_state_is_read_off_pixels_and_not_off_noise(rooms):
  pixels = Subject(rooms, lambda c: flat(c['frame']))
  noise = Subject(rooms, lambda c: flat(jax.random.normal(jax.random.key(0), (len(c['frame']), 8))))
  assert regression(pixels)['r2'] > 0.9
  assert regression(noise)['r2'] < 0.1


def test_control_of_the_best_and_the_worst(rooms):
  environment = rooms.info['environment']
  states = environment.facts['states']
  seen = flat(jax.vmap(environment.observe, (0, None))(states, jax.random.key(0))).pooled
  right = jax.nn.one_hot(jax.vmap(environment.expert)(states), 4)
  networks = {'backbone': flat, 'q': lambda x: jax.nn.one_hot(jnp.argmax(x @ seen.T, 1), len(seen)) @ right}
  subject = Subject(rooms, lambda c: flat(c['frame']), networks)
  assert control(subject, jax.random.key(0), episodes=64)['return'] == 1
  subject.networks['q'] = lambda x: jnp.eye(4)[jnp.zeros(len(x), int)]
  figures = control(subject, jax.random.key(0), episodes=64)
  assert figures['return_low'] <= figures['return'] <= figures['return_high'] < 0.5


def test_cloning_an_expert_from_the_pixels():
  data = rollouts.demonstrations(side=0, others=0, episodes=20, test=2)
  figures = cloning(Subject(data, lambda c: flat(c['frame'])), jax.random.key(0), episodes=64)
  blind = cloning(Subject(data, lambda c: flat(c['frame'][:, :1] * 0)), jax.random.key(0), episodes=64)
  assert figures['return'] > blind['return'] + 5


def test_true_eigenvectors_have_cosine_one():
  data = rollouts.rooms(goal=False, episodes=2, test=2)
  environment = data.info['environment']
  transition = environment.facts['transition']
  vectors = jnp.asarray(np.linalg.eigh(np.eye(len(transition)) - transition)[1][:, :5], jnp.float32)
  seen = flat(jax.vmap(environment.observe, (0, None))(environment.facts['states'], jax.random.key(0))).pooled
  networks = {'backbone': flat, 'head': lambda x: -3 * vectors[jnp.argmax(x @ seen.T, 1)]}
  assert laplacian(Subject(data, lambda c: flat(c['frame']), networks))['cosine'] > 0.9999


def test_eigenvalues_are_read_off_the_duals():
  """Of pairs as the view draws them: 1 to 7 steps apart, in a window of 8."""
  data = rollouts.rooms(goal=False, episodes=2, test=2)
  transition = data.info['environment'].facts['transition']
  ahead = sum(0.5**n * np.linalg.matrix_power(transition, n) for n in range(1, 8)) / sum(0.5**n for n in range(1, 8))
  values = np.linalg.eigvalsh(np.eye(len(transition)) - ahead)[:3]
  networks = {'backbone': flat, 'head': lambda x: x[:, :3]}
  error = lambda beta: laplacian(
    Subject(data, lambda c: flat(c['frame']), networks, memories={'beta': {'duals': np.diag(beta)}}), duals='beta', discount=0.5
  )['eigenvalue_error']
  assert error(-2 * values) < 1e-6 and error(0 * values) == pytest.approx(1)
  assert error(-2.2 * values) == pytest.approx(0.1)
  with pytest.raises(ValueError, match="there is no memory 'beta', but none"):
    EVALUATORS['laplacian'].check(Subject(data, lambda c: flat(c['frame']), networks), duals='beta')


def test_columns_are_compared_on_the_inputs_that_vary():
  data = rollouts.rooms(goal=False, episodes=2, test=2)
  environment = data.info['environment']
  seen = flat(jax.vmap(environment.observe, (0, None))(environment.facts['states'], jax.random.key(0))).pooled
  varies = np.flatnonzero(np.ptp(np.asarray(seen), 0))
  assert len(varies) == len(seen) < seen.shape[1], 'the place of the agent, and not the walls'
  phi = np.random.RandomState(0).randn(seen.shape[1], 2)
  phi[varies] = np.linalg.qr(phi[varies])[0] @ np.array([[1, 0.6], [0, 0.8]])
  of = lambda phi: column_cosine(Subject(data, lambda c: flat(c['frame']), {'backbone': flat, 'head': lambda x: 3 + x @ jnp.asarray(phi)}))
  assert of(phi)['cosine'] == pytest.approx(0.6, abs=1e-4)
  assert of(phi[:, :1] * [1, -2])['cosine'] == pytest.approx(1, abs=1e-4)
