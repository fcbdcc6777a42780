"""Answers compared: probabilities of the answer alone, held against a reference."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.passes.text import causal_lm
from jssl.types import Features
from tests.passes.by_hand import given, value


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
  run = dict(nets={'backbone': Markov(table)}, batch={'ids': jnp.asarray(ids)}, keys=jax.random.split(jax.random.key(0), 2))
  seen = given({'it': causal_lm(start=2)}, 'it.log_prob', 'it.length', 'it.logits', **run)
  np.testing.assert_allclose(seen('it.log_prob'), want, rtol=1e-5)
  np.testing.assert_array_equal(seen('it.length'), [2, 4])
  told = value(seen, dict(name='token_cross_entropy', of=('it.logits', 'it.labels', 'it.valid')))
  np.testing.assert_allclose(told, -np.sum(want) / 6, rtol=1e-5)


def test_a_policy_that_is_its_reference_has_no_preference():
  net = Markov(np.random.default_rng(1).normal(size=(5, 5)).astype(np.float32))
  batch = {'chosen': jnp.array([[1, 2, 3, 4]]), 'rejected': jnp.array([[1, 2, 4, 1]])}
  of = dict(
    chosen='it.log_prob[0]', rejected='it.log_prob[1]', reference_chosen='it.reference[0]', reference_rejected='it.reference[1]'
  )  # fmt: skip
  run = dict(nets={'backbone': net}, target={'backbone': net}, batch=batch, keys=jax.random.split(jax.random.key(0), 1))
  seen = given({'it': causal_lm(columns=('chosen', 'rejected'), start=2)}, *of.values(), **run)
  np.testing.assert_allclose(value(seen, dict(name='dpo', of=of)), np.log(2), rtol=1e-6)
  assert value(seen, dict(name='pair_margin', of=of), 'metrics') == value(seen, dict(name='pair_accuracy', of=of), 'metrics') == 0
