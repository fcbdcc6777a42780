"""Evaluation of policies: returns of episodes rolled out on the device."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import extract, finite
from jssl.evaluators.figures import interval
from jssl.evaluators.general.regression import ridge
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import likeliest
from jssl.types import Array, Key


@protocol('2', needs=('info.play', 'nets.{encoder}', 'nets.{head}'), raw=False)
def control(subject: Subject, key: Key, *, head: str = 'q', encoder: str = 'backbone', episodes: int = 256) -> dict[str, float]:
  """The `control` protocol: the return of a policy that takes the action with the highest value of a trained head.

  Args:
    subject: its data provide `play`.
    key: for initial states, transitions, and ties between actions.
    head: network from pooled features to one value per action.
    episodes: number of episodes.

  Returns:
    return, the mean sum of rewards, with return_low and return_high, its 95 % bootstrap interval.
  """
  values = lambda x: subject.networks[head](subject.networks[encoder](x).pooled)
  return _played(subject, lambda observation, state, key: _best(key, values(observation[None])[0]), key, episodes)


@protocol('1', needs=('info.play', 'nets.{encoder}', 'nets.{decoder}'), raw=False)
def chunk_control(subject: Subject, key: Key, *, decoder: str = 'decoder', encoder: str = 'backbone', episodes: int = 256) -> dict[str, float]:
  """The `chunk_control` protocol: the return of a policy that decodes a chunk of actions at each step and takes the first."""
  act = lambda x: subject.networks[decoder](subject.networks[encoder](x).tokens)
  return _played(subject, lambda observation, state, key: act(observation[None])[0, 0], key, episodes)


@protocol('2', needs=('train.{inputs}', 'train.action', 'info.play'), fits=needs.actions)
def cloning(subject: Subject, key: Key, *, episodes: int = 256) -> dict[str, float]:
  """The `cloning` protocol: the return of a policy cloned from the behaviour of the train split, linear in frozen features.

  Actions are regressed on the features of the `frame` in which they were taken; the penalty is chosen on held-out windows. Discrete actions are
  regressed one-hot, and the policy takes the largest.
  """
  x, y = extract(subject.represent, subject.data.splits['train'], label='action')
  y = y[:, 0]
  numbered = y.dtype.kind in 'iu'
  policy = ridge(x, np.eye(subject.data.info['environment'].facts['actions'])[y] if numbered else y)

  def act(observation, state, key):
    told = policy(subject.represent({subject.data.inputs: observation[None]}).pooled.reshape(1, -1))[0]
    return _best(key, told) if numbered else told

  return _played(subject, act, key, episodes)


def _best(key: Key, values: Array) -> Array:
  """The action with the largest value, ties broken at random; -1, no action, if a value is not finite."""
  return jnp.where(jnp.all(jnp.isfinite(values)), likeliest(key, values), -1).astype(jnp.int32)


def _played(subject: Subject, policy, key: Key, episodes: int) -> dict[str, float]:
  returns = jax.jit(lambda key: subject.data.info['play'](policy, key, episodes))(key)
  found = finite(returns, 'the outputs that the policy acts on')
  low, high = interval(found)
  return {'return': float(found.mean()), 'return_low': low, 'return_high': high}
