"""Trajectories: rolled out on the device, as a data set of windows or by the policy that is being trained.

A policy is (observation, state, key) -> action; an expert looks at the state, what is trained at the observation.
A window has T steps, t = 0 .. T-1: `observation` [t ...], `action` [t ...] taken there, `reward` [t] and `done` [t] that
came of it, `state` [t k] as it truly was. `frame` [...] is observation 0, what a backbone sees of one moment, and
`label` [k] the state there. When an episode ends, the next one starts in the next step.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jssl.data.arrays import Columns
from jssl.data.environments import Environment, demonstrator, four_rooms, point_mass, uniform
from jssl.types import Array, Batch, Data, Key, Keys


def rollout(environment: Environment, policy: Callable, state: Any, key: Key, length: int) -> tuple[Any, Batch]:
  """`length` steps of one episode after another.

  Args:
    environment: reset, step, observe.
    policy: (observation, state, key) -> action.
    state: where to start.
    key: of all that is drawn.
    length: t.

  Returns:
    The state reached, and the columns [t ...].
  """

  def one(state, key):
    see, act, move, again = jax.random.split(key, 4)
    observation = environment.observe(state, see)
    action = policy(observation, state, act)
    there, reward, done = environment.step(state, action, move)
    row = dict(observation=observation, action=action, reward=reward, done=done, state=environment.truth(state))
    return jax.tree.map(lambda new, old: jnp.where(done, new, old), environment.reset(again), there), row

  return jax.lax.scan(one, state, jax.random.split(key, length))


def rollouts(environment: Environment, policy: Callable, keys: Keys, length: int) -> Batch:
  """One trajectory a key, each from its own start: columns [n t ...]."""

  def one(key):
    start, rest = jax.random.split(key)
    return rollout(environment, policy, environment.reset(start), rest, length)[1]

  return jax.vmap(one)(keys)


def returns(environment: Environment, policy: Callable, key: Key, *, episodes: int = 256, length: int = 40) -> Array:
  """[episodes] sums of rewards over one episode each, cut after `length` steps."""
  played = rollouts(environment, policy, jax.random.split(key, episodes), length)
  before = jnp.cumsum(played['done'], 1) - played['done']
  return jnp.sum(played['reward'] * (before == 0), 1)


def windows(columns: Batch, window: int) -> Batch:
  """Trajectories [n t ...] cut into windows that do not overlap: [n (t // window) window ...], with `frame` and `label`."""
  n, t = columns['reward'].shape
  cut = lambda x: x[:, : t // window * window].reshape(n * (t // window), window, *x.shape[2:])
  found = {name: cut(x) for name, x in columns.items()}
  return found | dict(frame=found['observation'][:, 0], label=found['state'][:, 0])


class Played:
  """A split that is rolled out when it is first looked at, and kept."""

  def __init__(self, make: Callable[[], Mapping[str, Array]], n: int):
    self._make, self._n = make, n

  @functools.cached_property
  def columns(self) -> Columns:
    return Columns({name: np.asarray(x) for name, x in jax.jit(self._make)().items()})

  def decoded(self, limit: int) -> Columns:
    del limit
    return self.columns

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    return self.columns.take(rows)

  def __len__(self) -> int:
    return self._n

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return self.columns[index]


def trajectories(
  environment: Environment, policy: Callable, *, episodes: int, test: int, length: int, window: int, seed: int, info: Mapping
) -> Data:
  """A data set of windows: `episodes` trajectories of `length` steps to train on, `test` more to test on."""
  if not 1 <= window <= length:
    raise ValueError(f'a window of {window} steps does not fit in a trajectory of {length}; give 1 <= window <= length')

  def split(n, salt):
    keys = lambda: jax.random.split(jax.random.fold_in(jax.random.key(seed), salt), n)
    make = lambda: windows(rollouts(environment, policy, keys(), length), window)
    return Played(make, n * (length // window)), jax.eval_shape(make)

  (train, shapes), (held, _) = split(episodes, 0), split(test, 1)
  spec = {name: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for name, x in shapes.items()}
  return Data(dict(train=train, test=held), spec, 'frame', dict(environment=environment, length=length, **info))


def rooms(
  *,
  side: int = 7,
  goal: bool = True,
  copies: int = 1,
  noise: float = 0.0,
  episodes: int = 256,
  test: int = 64,
  length: int = 32,
  window: int = 8,
  seed: int = 0,
) -> Data:
  """Random walks through four rooms, seen as images; options as in `four_rooms` and `trajectories`."""
  environment = four_rooms(side=side, goal=goal, copies=copies, noise=noise)
  sizes = dict(episodes=episodes, test=test, length=length, window=window)
  return trajectories(environment, uniform(environment), **sizes, seed=seed, info=dict(name='rooms', licence='generated'))


def demonstrations(
  *,
  side: int = 16,
  others: int = 2,
  astray: float = 0.1,
  episodes: int = 50,
  test: int = 20,
  length: int = 40,
  window: int = 5,
  seed: int = 0,
) -> Data:
  """An expert pushes a point mass to its goal, a step in ten (`astray`) at random; options as in `point_mass`."""
  environment = point_mass(side=side, others=others)
  sizes = dict(episodes=episodes, test=test, length=length, window=window)
  return trajectories(environment, demonstrator(environment, astray), **sizes, seed=seed, info=dict(name='demonstrations', licence='generated'))
