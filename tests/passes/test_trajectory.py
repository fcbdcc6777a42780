"""Passes over windows: what is held against what."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.core.build import plan
from jssl.core.method import example_keys
from jssl.objectives import allo_errors
from jssl.parts import memories
from jssl.passes.control import alive, latent_rollout, q_values, trajectory
from jssl.passes.views import embed
from jssl.testing import first_batch
from jssl.types import Features, salted
from jssl.views.series import geometric_future
from jssl.views.shifts import random_shift
from tests.made import tiny
from tests.passes.by_hand import given


def encoder(x, keys=None):
  return Features(x[:, None], x)


def keys(n):
  return jax.random.split(jax.random.key(0), n)


def batch():
  observation = jnp.asarray(np.random.RandomState(0).randn(3, 6, 2), jnp.float32)
  done = jnp.zeros((3, 6), bool).at[1, 2].set(True).at[2, 0].set(True)
  action = observation[:, 1:] - observation[:, :-1]
  action = jnp.concatenate([action, action[:, :1]], 1)
  return dict(observation=observation, action=action, done=done, reward=jnp.ones((3, 6)))


def run(made, *wanted, nets, batch, **options):
  return given({'it': made}, *wanted, nets=nets, batch=batch, keys=keys(len(batch['observation'])), **options)


def test_alive_ends_with_the_episode():
  expected = np.arange(6) < np.array([6, 3, 1])[:, None]
  np.testing.assert_array_equal(alive(batch()), expected)


def test_true_dynamics_have_no_error():
  """Actions that are differences of observations, and a transition that adds them."""
  nets = {'backbone': encoder, 'action': lambda a: a, 'transition': lambda z, u: z + u}
  seen = run(latent_rollout(horizon=5), 'it.prediction', 'it.target', 'it.alive', nets=nets, batch=batch())
  np.testing.assert_allclose(seen('it.prediction'), seen('it.target'), atol=1e-5)
  np.testing.assert_array_equal(seen('it.alive').sum(1), [5, 2, 0])


def test_a_rollout_is_held_against_the_teacher_or_another_network():
  nets = {'backbone': encoder, 'action': lambda a: a, 'transition': lambda z, u: z + u, 'twice': lambda z: 2 * z, 'plus': lambda z: z + 1,
          'pixels': lambda x: Features(x[:, None], 7 * x)}  # fmt: skip
  teacher = {'backbone': lambda x: Features(x[:, None], 5 * x), 'twice': lambda z: 3 * z}
  options = dict(nets=nets, batch=batch(), target=teacher)
  seen = run(latent_rollout(horizon=2, heads=('twice',), predictor='plus'), 'it.prediction', 'it.target', **options)
  ahead = batch()['observation'][:, 1:3]
  np.testing.assert_allclose(seen('it.prediction'), 2 * ahead + 1, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(seen('it.target'), 15 * ahead, rtol=1e-5)
  other = run(latent_rollout(horizon=2, target='pixels'), 'it.prediction', 'it.target', **options)
  np.testing.assert_allclose(other('it.target'), 7 * ahead, rtol=1e-5)


def test_states_of_a_window_and_what_came_of_it():
  wanted = [f'it.{name}' for name in ('states', 'target', 'alive', 'actions', 'returns', 'reached')]
  nets = {'backbone': encoder, 'code': lambda u: 2 * u}
  data = batch()
  seen = run(trajectory(times=(0, 4), action='code', horizon=2, discount=0.5), *wanted, nets=nets, batch=data)
  np.testing.assert_array_equal(seen('it.states'), data['observation'][:, jnp.array([0, 4])])
  np.testing.assert_array_equal(seen('it.target'), seen('it.states'))
  np.testing.assert_array_equal(seen('it.alive'), [[1, 1], [1, 0], [1, 0]])
  np.testing.assert_allclose(seen('it.actions'), 2 * data['action'][:, :2].reshape(3, -1), rtol=1e-6)
  np.testing.assert_allclose(seen('it.returns'), [1.5] * 3)
  np.testing.assert_array_equal(seen('it.reached'), [1, 1, 0])
  count = []
  net = lambda x: count.append(len(x)) or encoder(x)
  taught = run(trajectory(), 'it.target', nets={'backbone': net}, target={'backbone': lambda x: Features(x[:, None], 3 * x)}, batch=data)
  np.testing.assert_allclose(taught('it.target'), 3 * data['observation'], rtol=1e-6)
  assert not count, 'the trained network is not run for what only the teacher is asked for'


def test_q_learning_stops_at_the_end_of_an_episode():
  nets = {'backbone': encoder, 'q': lambda z: z}
  data = batch() | dict(action=jnp.zeros((3, 6), jnp.int32))
  wanted = [f'it.{name}' for name in ('q_values', 'next_online', 'next_target', 'rewards', 'discounts')]
  seen = run(q_values(horizon=3, discount=0.5), *wanted, nets=nets, target=nets, batch=data)
  np.testing.assert_allclose(seen('it.rewards'), [1.75, 1.75, 1])
  np.testing.assert_allclose(seen('it.discounts'), [0.125, 0, 0])
  np.testing.assert_allclose(seen('it.q_values'), data['observation'][:, 0])
  for name in ('next_online', 'next_target'):
    np.testing.assert_allclose(seen(f'it.{name}'), data['observation'][:, 3])


def test_duals_rise_by_the_errors():
  memory = memories.duals(rate=0.5, barrier=2.0, barrier_rate=0.1)
  nets = {'backbone': encoder, 'head': lambda z: z}
  data = dict(observation=batch()['observation'][:2])
  u = run(embed(view=geometric_future, heads=('head',)), 'it.q[0]', nets=nets, batch=data)('it.q[0]')
  state = memory.init(jax.random.key(0), u)
  assert set(memory.read(state)) == {'duals', 'barrier'}
  after = memory.write(state, u)
  errors, squares = allo_errors(u[::2], u[1::2])
  np.testing.assert_allclose(after['duals'], 0.5 * errors, rtol=1e-6)
  np.testing.assert_allclose(after['barrier'], 2 + 0.1 * np.maximum(squares, 0).mean(), rtol=1e-6)


def test_duals_and_the_barrier_have_limits_of_their_own():
  """As in the official update, duals are clipped to +-100, and the barrier, raised by a running mean of squared errors, at 10,000."""
  rng = np.random.default_rng(0)
  memory = memories.duals(rate=1.0, barrier_rate=1.0)
  state, duals, barrier, squares = memory.init(jax.random.key(0), jnp.zeros((8, 3))), np.zeros((3, 3)), 2.0, None
  for _ in range(40):
    u = 10 * rng.normal(size=(8, 3)).astype(np.float32)
    state = memory.write(state, jnp.asarray(u))
    e = np.zeros((2, 3, 3))
    for half, j, k in np.ndindex(2, 3, 3):
      if k <= j:
        e[half, j, k] = np.mean([row[j] * row[k] for row in u[half::2].astype(float)]) - (j == k)
    duals = np.minimum(np.maximum(duals + (e[0] + e[1]) / 2, -100), 100)
    squares = e[0] * e[1] if squares is None else 0.9 * squares + 0.1 * e[0] * e[1]
    barrier = min(barrier + np.mean(np.maximum(squares, 0)), 10_000)
    np.testing.assert_allclose(state['duals'], duals, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(state['barrier'], barrier, rtol=1e-4)
  assert np.abs(duals).max() == 100 and barrier == 10_000


def test_later_states_lie_within_the_window():
  x = jnp.broadcast_to(jnp.arange(6.0)[None, :, None], (2000, 6, 1))
  view = lambda keys, batch: geometric_future(keys, batch, discount=0.5)
  seen = run(embed(view=view), 'it.q', nets={'backbone': encoder}, batch=dict(observation=x))
  np.testing.assert_array_equal(seen('it.q[0]'), 0)
  share = np.bincount(np.asarray(seen('it.q[1]')[:, 0], int), minlength=6) / 2000
  np.testing.assert_allclose(share, np.array([0, 16, 8, 4, 2, 1]) / 31, atol=0.04)


@pytest.mark.rotating
def test_taco_is_the_official_update_by_hand():
  """TACOAgent.update_taco and the critic's Q in NumPy, one example after another, on the same shifted observations."""
  p = plan(tiny('taco'))
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  data = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  at = lambda *path: salted(example_keys(jax.random.key(1), data), *path)
  _, (_, metrics) = jax.jit(p.method.loss)(params, state, data, jax.random.key(1), jnp.int32(0))
  nets, w = p.method.networks(params, state), jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  linear = lambda x, p: x @ p['kernel'] + p.get('bias', 0)
  relu = lambda x: np.maximum(x, 0)

  def normed(x, p):
    return np.tanh((x - x.mean()) / np.sqrt(x.var() + 1e-6) * p['scale'] + p['bias'])

  def projection(x, p):
    return normed(linear(x, p['linear']), p['norm'])

  def code(action):
    one_hot = np.eye(32)[action]
    return linear(np.tanh(linear(one_hot, w['q']['code']['linear1'])), w['q']['code']['linear2'])

  def joined(x, p):
    return linear(relu(linear(x, p['mlp']['linear1'])), p['mlp']['linear'])

  features = lambda x: np.asarray(nets['backbone'](x).pooled, np.float64)
  first, second = random_shift(at('shifted', 'view'), data, pad=1, views=2)
  anchor, key, after = (features(x) for x in (first[:, 0], second[:, 0], first[:, 3]))
  z, pos, later, g, earned = [], [], [], [], []
  for i in range(len(anchor)):
    z.append(projection(anchor[i], w['state']))
    pos.append(projection(key[i], w['state']))
    later.append(projection(after[i], w['state']))
    codes = np.concatenate([code(a) for a in data['action'][i, :3]])
    both = np.concatenate([z[i], projection(codes, w['sequence']['mlp'])])
    g.append(joined(both, w['projector']))
    earned.append(joined(both, w['reward'])[0])

  def contrast(q, k, counts):
    terms = []
    for i in range(len(q)):
      logits = np.array([q[i] @ w['bilinear']['kernel'] @ k[j] for j in range(len(k))])
      terms.append(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[i])
    return np.mean([t for t, use in zip(terms, counts, strict=True) if use])

  inside = [not data['done'][i, :3].any() for i in range(len(z))]
  rewards = [sum(0.99**t * float(data['reward'][i, t]) for t in range(3)) for i in range(len(z))]
  squares = [(e - r) ** 2 for e, r, use in zip(earned, rewards, inside, strict=True) if use]
  np.testing.assert_allclose(metrics['taco/loss'], contrast(g, later, inside), rtol=1e-4)
  np.testing.assert_allclose(metrics['curl/loss'], contrast(z, pos, [True] * len(z)), rtol=1e-4)
  np.testing.assert_allclose(metrics['reward/loss'], np.mean(squares), rtol=1e-4)

  (seen,) = random_shift(at('seen', 'view'), data, pad=1)
  q = []
  for h, a in zip(features(seen[:, 0]), data['action'][:, 0], strict=True):
    x = np.concatenate([projection(h, w['q']['trunk']), code(a)])
    x = relu(linear(relu(linear(x, w['q']['q']['linear1'])), w['q']['q']['linear2']))
    q.append(linear(x, w['q']['q']['linear'])[0])
  values = np.take_along_axis(np.asarray(nets['q'](nets['backbone'](seen[:, 0]).pooled)), np.asarray(data['action'][:, :1]), 1)
  np.testing.assert_allclose(values[:, 0], q, rtol=1e-4, atol=1e-5)


@pytest.mark.rotating
def test_keys_of_taco_and_curl_carry_no_gradient():
  """Of what the target projection sees through the keys nothing comes back: the gradient is that with the keys held."""
  p = plan(tiny('taco'))
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  data = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  curl = jax.jit(p.method.gradients)(params, state, data, jax.random.key(1), jnp.int32(0))['curl']
  shifted = random_shift(salted(example_keys(jax.random.key(1), data), 'shifted', 'view'), data, pad=1, views=2)

  def held(moving):
    z = lambda params, x: (nets := p.method.networks(params, state))['state'](nets['backbone'](x).pooled)
    q, k = z(moving, shifted[0][:, 0]), z(params, shifted[1][:, 0])
    logits = jnp.matmul(jnp.matmul(q, moving['bilinear']['kernel']), k.T)
    return -jnp.mean(jnp.diagonal(jax.nn.log_softmax(logits)))

  for a, b in zip(jax.tree.leaves(curl), jax.tree.leaves(jax.jit(jax.grad(held))(params)), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)
