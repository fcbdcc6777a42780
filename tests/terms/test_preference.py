"""Answers compared: probabilities of the answer alone, and states in the order that goals need."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.objectives import dpo
from jssl.terms import preference
from jssl.types import Features


class Markov:
  """A network whose next token depends on the last one alone."""

  def __init__(self, table):
    self.table = jnp.asarray(table)

  def __call__(self, ids, *, keys=None):
    return Features(jax.nn.one_hot(ids, len(self.table)), None)

  def logits(self, tokens):
    return tokens @ self.table


def test_log_probability_counts_the_answer_and_no_padding():
  table = np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32)
  ids = np.array([[1, 2, 3, 4, 0, 0], [2, 2, 1, 1, 3, 4]], np.int32)
  logp = table - np.log(np.exp(table).sum(1, keepdims=True))
  want = [logp[2, 3] + logp[3, 4], logp[2, 1] + logp[1, 1] + logp[1, 3] + logp[3, 4]]
  np.testing.assert_allclose(preference.log_probability(Markov(table), jnp.asarray(ids), 2), want, rtol=1e-5)


def test_a_policy_that_is_its_reference_has_no_preference():
  net = Markov(np.random.default_rng(1).normal(size=(5, 5)).astype(np.float32))
  batch = {'chosen': jnp.array([[1, 2, 3, 4]]), 'rejected': jnp.array([[1, 2, 4, 1]])}
  term = preference.compared(objective=dpo, start=2)
  encoded = term.encode({'backbone': net}, {'backbone': net}, batch, jax.random.split(jax.random.key(0), 1))
  loss, (_, found) = term.judge({}, encoded, {}, None, 0)
  np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)
  assert found['margin'] == 0


def test_sources_come_before_their_goals():
  keys = jax.random.split(jax.random.key(0), 200)
  source, goal = preference._ordered_places(keys, 3, 4, 9)
  assert (source.max(1) < goal.min(1)).all() and source.min() == 4 and goal.max() == 8
