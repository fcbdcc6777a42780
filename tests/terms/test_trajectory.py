"""Terms over windows: what is held against what."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.objectives import allo, allo_errors, double_dqn, self_predictive
from jssl.terms.spectral import duals, slow
from jssl.terms.trajectory import alive, open_loop
from jssl.terms.value import q_learning
from jssl.types import Features


def encoder(x):
  return Features(x[:, None], x)


def keys(n):
  return jax.random.split(jax.random.key(0), n)


def batch():
  observation = jnp.asarray(np.random.RandomState(0).randn(3, 6, 2), jnp.float32)
  done = jnp.zeros((3, 6), bool).at[1, 2].set(True).at[2, 0].set(True)
  action = observation[:, 1:] - observation[:, :-1]
  action = jnp.concatenate([action, action[:, :1]], 1)
  return dict(observation=observation, action=action, done=done, reward=jnp.ones((3, 6)))


def test_alive_ends_with_the_episode():
  expected = np.arange(6) < np.array([6, 3, 1])[:, None]
  np.testing.assert_array_equal(alive(batch()), expected)


def test_true_dynamics_have_no_error():
  """Actions that are differences of observations, and a transition that adds them."""
  nets = {'backbone': encoder, 'action': lambda a: a, 'transition': lambda z, u: z + u}
  encoded = open_loop(objective=self_predictive, horizon=5).encode(nets, None, batch(), keys(3))
  np.testing.assert_allclose(encoded['prediction'], encoded['target'], atol=1e-5)
  np.testing.assert_array_equal(encoded['mask'].sum(1), [5, 2, 0])


def test_q_learning_stops_at_the_end_of_an_episode():
  nets = {'backbone': encoder, 'q': lambda z: z}
  data = batch() | dict(action=jnp.zeros((3, 6), jnp.int32))
  encoded = q_learning(objective=double_dqn, horizon=3, discount=0.5).encode(nets, nets, data, keys(3))
  np.testing.assert_allclose(encoded['rewards'], [1.75, 1.75, 1])
  np.testing.assert_allclose(encoded['discounts'], [0.125, 0, 0])
  np.testing.assert_allclose(encoded['next_target'], data['observation'][:, 3])


def test_duals_rise_by_the_errors():
  memory = duals(rate=0.5, barrier=2.0, barrier_rate=0.1)
  term = slow(objective=allo, memory=memory)
  nets = {'backbone': encoder, 'head': lambda z: z}
  encoded = term.encode(nets, None, dict(observation=batch()['observation'][:2]), keys(2))
  state = term.init(jax.random.key(0), encoded)
  _, (after, _) = term.judge(nets, encoded, state, jax.random.key(0), jnp.int32(0))
  errors, excess = allo_errors(encoded['start'][::2], encoded['start'][1::2])
  np.testing.assert_allclose(after['duals'], 0.5 * errors, rtol=1e-6)
  np.testing.assert_allclose(after['barrier'], 2 + 0.1 * excess, rtol=1e-6)


def test_later_states_lie_within_the_window():
  x = jnp.broadcast_to(jnp.arange(6.0)[None, :, None], (2000, 6, 1))
  nets = {'backbone': encoder, 'head': lambda z: z}
  ahead = slow(objective=allo, discount=0.5).encode(nets, None, dict(observation=x), keys(2000))['end'][:, 0]
  share = np.bincount(np.asarray(ahead, int), minlength=6) / 2000
  np.testing.assert_allclose(share, np.array([0, 16, 8, 4, 2, 1]) / 31, atol=0.04)
