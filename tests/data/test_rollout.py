"""Environments do what they say, and what is rolled out in them depends on the seed and the policy alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.core import loop
from jssl.core.build import plan
from jssl.core.step import init_state
from jssl.data.control import rollouts as rollouts_control
from jssl.envs import rollouts
from jssl.envs.environments import combination_lock, demonstrator, four_rooms, point_mass, uniform
from tests.made import tiny

ENVIRONMENTS = {
  'four_rooms': lambda: four_rooms(side=7, copies=2),
  'noisy_rooms': lambda: four_rooms(side=7, distraction=0.5),
  'point_mass': lambda: point_mass(side=8),
  'point_vector': lambda: point_mass(side=0, others=1),
  'combination_lock': lambda: combination_lock(horizon=4),
}


@pytest.mark.parametrize('name', ENVIRONMENTS)
def test_experts_do_better_than_chance(name):
  environment = ENVIRONMENTS[name]()
  mean = lambda policy: float(rollouts.returns(environment, policy, jax.random.key(0), episodes=64, length=20).mean())
  assert mean(demonstrator(environment)) > 3 * max(mean(uniform(environment)), 0.1)


def test_walks_keep_to_the_transition_matrix():
  environment = four_rooms(side=7, goal=False)
  transition = environment.facts['transition']
  np.testing.assert_allclose(transition, transition.T)
  np.testing.assert_allclose(transition.sum(1), 1)
  keys = jax.random.split(jax.random.key(0), 4000)
  state = environment.facts['states']._replace(agent=jnp.int32(5), goal=jnp.int32(0))
  step = lambda key: environment.step(state, environment.draw(key), key)[0].agent
  seen = np.bincount(jax.vmap(step)(keys), minlength=len(transition)) / 4000
  np.testing.assert_allclose(seen, transition[5], atol=0.03)


def test_a_goal_flees_and_its_expert_follows():
  still, fleeing = (point_mass(side=0, others=0, drag=1.0, flight=flight) for flight in (0.0, 0.1))
  keys = jax.random.split(jax.random.key(0), 64)
  goals = lambda environment: rollouts.rollouts(environment, demonstrator(environment), keys, 12)['observation'][..., 4:6]
  np.testing.assert_array_equal(np.diff(goals(still), axis=1), 0)
  moved = np.diff(goals(fleeing), axis=1)
  assert 0 < np.abs(moved).max() <= 0.09 + 1e-6 and np.abs(goals(fleeing)).max() <= 1
  assert rollouts.rollouts(fleeing, demonstrator(fleeing), keys, 12)['reward'].mean() > 0.2


def test_a_lock_lures_to_its_dead_end():
  lock = combination_lock(horizon=3, decoy=0.2)
  wrong = lambda observation, state, key: (lock.expert(state) + 1) % 4
  keys = jax.random.split(jax.random.key(0), 1000)
  rewards = rollouts.rollouts(lock, wrong, keys, 3)['reward']
  np.testing.assert_allclose(rewards.mean(0), [0.1, 0, 0], atol=0.02)
  np.testing.assert_allclose(rollouts.rollouts(lock, demonstrator(lock), keys, 3)['reward'].mean(0), [0, 0, 1])


def test_windows_follow_each_other():
  environment = four_rooms(side=7)
  columns = rollouts.rollouts(environment, uniform(environment), jax.random.split(jax.random.key(0), 5), 24)
  cut = rollouts.windows(columns, 8)
  assert cut['observation'].shape == (15, 8, 7, 7, 3)
  np.testing.assert_array_equal(cut['frame'][4], columns['observation'][1, 8])
  np.testing.assert_array_equal(cut['truth'], cut['state'][:, 0])
  with pytest.raises(ValueError, match='window'):
    rollouts_control.rooms(length=4, window=8)


def test_a_new_episode_begins_where_one_ends():
  environment = four_rooms(side=5)
  columns = rollouts.rollouts(environment, demonstrator(environment), jax.random.split(jax.random.key(0), 20), 20)
  assert columns['done'].any()
  np.testing.assert_array_equal(columns['done'], columns['reward'] > 0)
  i, t = np.argwhere(columns['done'])[0]
  assert t == 19 or (columns['state'][i, t + 1] < 1).any()  # no episode begins at the goal


def test_splits_are_the_same_each_time_and_differ():
  a, b = (rollouts_control.rooms(episodes=4, test=4).splits for _ in range(2))
  np.testing.assert_array_equal(a['train'].take(np.arange(4))['action'], b['train'].take(np.arange(4))['action'])
  assert (a['train'][0]['action'] != a['test'][0]['action']).any()


def test_batches_follow_from_seed_number_and_policy():
  p = plan(tiny('spr'))
  start = lambda: init_state(p.phases[0], jax.random.key(0))
  source, again, other = (loop.open_source(p._replace(config={**p.config, 'seed': seed})) for seed in (0, 0, 1))
  first, second = source.next(start()), source.next(start())
  again.restore({'batches': 1})
  for name, column in again.next(start()).items():
    np.testing.assert_array_equal(column, second[name])
  assert (first['action'] != second['action']).any() and (other.next(start())['action'] != first['action']).any()
  assert source.save() == again.save() == {'batches': 2}
  assert {n: (x.shape[1:], x.dtype) for n, x in first.items() if n in p.data.spec} == {n: (x.shape, x.dtype) for n, x in p.data.spec.items()}
