"""Trajectories: rolled out on the device, as a data set of windows or by the policy that is being trained.

A policy is (observation, state, key) -> action; an expert uses the state, a trained policy the observation.
A window has T steps, t = 0 .. T-1: `observation` [t ...], `action` [t ...] taken there, the resulting `reward` [t] and `done` [t], and the
true `state` [t k]. `frame` [...] is observation 0, the input of a backbone for single frames, and `truth` [k] its state. When an episode
ends, the next one starts in the next step.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jssl.envs.environments import Environment, uniform
from jssl.types import Array, Batch, Key, Keys


def rollout(environment: Environment, policy: Callable, state: Any, key: Key, length: int) -> tuple[Any, Batch]:
  """Runs a policy for `length` steps, one episode after another.

  Args:
    environment: the environment.
    policy: (observation, state, key) -> action.
    state: the initial state.
    key: random key.
    length: number of steps, t.

  Returns:
    The last state, and the columns [t ...].
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
  """One trajectory per key, each from its own initial state: columns [n t ...]."""

  def one(key):
    start, rest = jax.random.split(key)
    return rollout(environment, policy, environment.reset(start), rest, length)[1]

  return jax.vmap(one)(keys)


def returns(environment: Environment, policy: Callable, key: Key, *, episodes: int, length: int) -> Array:
  """[episodes] sums of rewards over one episode each, cut after `length` steps.

  NaN for an episode in which the policy gave an invalid action: a negative index for discrete actions, or a value that is not finite.
  """
  played = rollouts(environment, policy, jax.random.split(key, episodes), length)
  during = jnp.cumsum(played['done'], 1) - played['done'] == 0
  action = played['action'].reshape(*during.shape, -1)
  acted = jnp.all(action >= 0 if jnp.issubdtype(action.dtype, jnp.integer) else jnp.isfinite(action), -1)
  return jnp.where(jnp.all(acted | ~during, 1), jnp.sum(played['reward'] * during, 1), jnp.nan)


def windows(columns: Batch, window: int) -> Batch:
  """Trajectories [n t ...] cut into windows that do not overlap: [n (t // window) window ...], with `frame` and `truth`."""
  n, t = columns['reward'].shape
  cut = lambda x: x[:, : t // window * window].reshape(n * (t // window), window, *x.shape[2:])
  found = {name: cut(x) for name, x in columns.items()}
  return found | dict(frame=found['observation'][:, 0], truth=found['state'][:, 0])


def epsilon_greedy(environment: Environment, networks: Mapping[str, Callable], epsilon: float, head: str) -> Callable:
  """The epsilon-greedy policy, (observation, state, key) -> action: the best action, or a random one with probability `epsilon`."""

  def policy(observation, state, key):
    del state
    astray, draw = jax.random.split(key)
    value = networks[head](networks['backbone'](observation[None]).pooled)[0]
    best = jnp.argmax(value).astype(jnp.int32)
    return jnp.where(jax.random.bernoulli(astray, epsilon), environment.draw(draw), best)

  return policy


class PolicySource:
  """Windows of trajectories of the policy being trained, each from its own initial state.

  Batch n is a function of (seed, n) and of the train state alone, so only the number of batches taken is saved, and a run that is stopped
  and resumed gets the same windows. Each process generates its own rows of the batch.

  Args:
    environment: the environment.
    policy: networks -> (observation, state, key) -> action.
    networks: (params, state) -> name -> network, as `Method.networks`.
    batch_size: windows in a global batch.
    seed: seed of initial states, transitions and exploration.
    rows: rows of the global batch that this process generates; None for all.
    window: steps per window.
  """

  def __init__(
    self,
    environment: Environment,
    policy: Callable,
    networks: Callable,
    *,
    batch_size: int,
    seed: int,
    rows: np.ndarray | None,
    window: int,
  ):
    rows = np.arange(batch_size) if rows is None else rows
    self._seed, self._batches = seed, 0

    def play(policy, seed, number):
      key = jax.random.fold_in(jax.random.key(seed), number)
      keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.asarray(rows))
      columns = windows(rollouts(environment, policy, keys, window), window)
      return columns | dict(example=jnp.asarray(rows, jnp.int32), epoch=jnp.full(len(rows), number, jnp.int32))

    self._play = jax.jit(lambda params, state, *batch: play(policy(networks(params, state)), *batch))
    self._first = jax.jit(lambda *batch: play(uniform(environment), *batch))

  def next(self, train_state: Any) -> dict[str, np.ndarray]:
    """The next batch, generated with the networks of `train_state`."""
    # Each process generates its own rows, with a program of its own: on one device, with a replicated copy of the parameters.
    everywhere = train_state.step.sharding
    here = min(everywhere.addressable_devices, key=lambda device: device.id)
    with jax.transfer_guard('allow'):
      copies = jax.device_put((train_state.params, train_state.state), everywhere)
      params, state = jax.device_put(jax.tree.map(lambda x: x.addressable_data(0), copies), here)
      with jax.set_mesh(Mesh([here], ('data',))):
        batch = jax.device_get(self._play(params, state, self._seed, self._batches))
    self._batches += 1
    return batch

  def batch(self, step: int) -> dict[str, np.ndarray]:
    """Batch `step`, generated by the uniform random policy."""
    return jax.device_get(self._first(self._seed, step))

  def save(self) -> dict[str, int]:
    return dict(batches=self._batches)

  def restore(self, state: Mapping[str, Any]) -> None:
    self._batches = int(state['batches'])
