"""Answers compared: probabilities of the answer alone, held against a reference."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.passes.text import causal_lm
from jssl.types import Call, Column, Features
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


def test_mismatched_pairs_are_rolled_in_the_whole_batch():
  """As in HALOs' data loader, a question meets the answer of the next example, whichever part of the batch is at hand."""
  rng = np.random.default_rng(2)
  table, ids = rng.normal(size=(6, 6)).astype(np.float32), rng.integers(1, 6, (4, 6)).astype(np.int32)
  ids[1, 5] = 0
  logp = table - np.log(np.exp(table).sum(1, keepdims=True))
  want, length = np.zeros(4), np.zeros(4)
  for i in range(4):
    text = [*ids[i, :3], *ids[(i + 1) % 4, 3:]]
    for t in range(3, 6):
      want[i] += logp[text[t - 1], text[t]] if text[t] else 0
      length[i] += text[t] > 0
  whole = {'ids': jnp.asarray(ids), 'example': jnp.array([7, 3, 3, 5]), 'epoch': jnp.array([0, 0, 1, 1])}
  for part in ([0, 1, 2, 3], [2, 0]):
    batch = {name: x[jnp.array(part)] for name, x in whole.items()}
    read = lambda text: whole[text.removeprefix('whole.batch.')]
    keys = jax.random.split(jax.random.key(0), len(part))
    call = Call({'backbone': Markov(table)}, None, batch, keys, 'it', {'log_prob': None}, {'ids': Column((6,), 'int32', size=6, pad=0)}, read)
    found = causal_lm(start=3, roll=1).run(call)
    np.testing.assert_allclose(found['log_prob'], want[part], rtol=1e-5)
    np.testing.assert_array_equal(found['length'], length[part])
