"""Trajectories, rolled out on the device: as a data set of windows, or by the policy in training.

A policy is (observation, state, key) -> action; an expert uses the state, a trained policy the observation. A window has T steps, t = 0 .. T-1:
`observation` [t ...], `action` [t ...] taken there, the resulting `reward` [t] and `done` [t], and the true `state` [t k]. `frame` [...] is
observation 0, the input of a backbone for single observations, and `truth` [k] is the state there. When an episode ends, the next one starts in
the next step.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jssl.data.core.arrays import Columns
from jssl.envs.environments import Environment, demonstrator, four_rooms, point_mass, uniform
from jssl.envs.rollouts import PolicySource, epsilon_greedy, returns, rollouts, windows
from jssl.types import Array, Column, Data


class Played:
  """A split that is rolled out on first access, and cached."""

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
  """A data set of windows: `episodes` training trajectories of `length` steps, and `test` test trajectories."""
  if not 1 <= window <= length:
    raise ValueError(f'a window of {window} steps does not fit in a trajectory of {length}; give 1 <= window <= length')

  def split(n, salt):
    keys = lambda: jax.random.split(jax.random.fold_in(jax.random.key(seed), salt), n)
    make = lambda: windows(rollouts(environment, policy, keys(), length), window)
    return Played(make, n * (length // window)), jax.eval_shape(make)

  (train, shapes), (held, _) = split(episodes, 0), split(test, 1)
  spec = {name: Column(x.shape[1:], x.dtype) for name, x in shapes.items()}
  if jnp.issubdtype(spec['action'].dtype, jnp.integer):
    spec['action'] = replace(spec['action'], size=environment.facts['actions'])
  play = lambda policy, key, episodes: returns(environment, policy, key, episodes=episodes, length=length)
  return Data(dict(train=train, test=held), spec, 'frame', dict(environment=environment, play=play, licence='generated', **info))


def rooms(
  *,
  side: int = 7,
  goal: bool = True,
  copies: int = 1,
  distraction: float = 0.0,
  episodes: int = 256,
  test: int = 64,
  length: int = 32,
  window: int = 8,
  seed: int = 0,
  head: str | None = None,
  epsilon: float = 0.3,
) -> Data:
  """Random walks through four rooms, observed as images; options as in `four_rooms` and `trajectories`.

  With a `head`, batches are rolled out by the policy in training, which takes the action with the highest value of the head, or with
  probability `epsilon` a random one; the walks are then only used by probes.
  """
  environment = four_rooms(side=side, goal=goal, copies=copies, distraction=distraction)
  sizes = dict(episodes=episodes, test=test, length=length, window=window)
  data = trajectories(environment, uniform(environment), **sizes, seed=seed, info=dict(name='rooms'))
  if head is None:
    return data
  policy = lambda networks: epsilon_greedy(environment, networks, epsilon, head)

  def source(batch_size, seed, networks, rows):
    return PolicySource(environment, policy, networks, batch_size=batch_size, seed=seed, rows=rows, window=window)

  return data._replace(source=source)


def demonstrations(
  *,
  side: int = 12,
  others: int = 2,
  drag: float = 0.3,
  flight: float = 0.0,
  astray: float = 0.1,
  episodes: int = 200,
  test: int = 50,
  length: int = 20,
  window: int = 5,
  seed: int = 0,
) -> Data:
  """An expert pushes a point mass to its goal, with a share `astray` of random steps; options as in `point_mass`."""
  environment = point_mass(side=side, others=others, drag=drag, flight=flight)
  sizes = dict(episodes=episodes, test=test, length=length, window=window)
  return trajectories(environment, demonstrator(environment, astray), **sizes, seed=seed, info=dict(name='demonstrations'))
