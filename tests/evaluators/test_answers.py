"""Rewards, probabilities and samples of answers, judged where the right figure is known."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.data.preference.chains import VOCABULARY, chains
from jssl.evaluators import Subject
from jssl.evaluators.preference.preference import answers, pair_likelihoods, pair_rewards, partial_reward
from jssl.types import Features

DATA = chains(terms=3, train=64, test=64)


class Solver:
  """Knows the right next total, and gives it with odds exp(sharp); states say how many slips there were so far."""

  def __init__(self, sharp):
    self.sharp = sharp

  def __call__(self, ids, *, keys=None):
    totals = jnp.where(ids[:, 5:] > 0, ids[:, 5:] - 1, 0)
    before = jnp.concatenate([jnp.zeros((len(ids), 1), ids.dtype), totals], 1)  # [n 4]
    digits = jnp.pad(ids[:, 1:4] - 1, ((0, 0), (0, 1)))
    right = (before + digits) % 10
    slips = jnp.cumsum(totals != right[:, :3], 1)
    state = jnp.concatenate([jnp.zeros((len(ids), 5), ids.dtype), slips], 1)
    following = jnp.concatenate([jnp.zeros((len(ids), 4), ids.dtype), right], 1)
    tokens = jnp.concatenate([self.sharp * jax.nn.one_hot(following + 1, VOCABULARY), jnp.stack([1.0 + 0 * state, -1.0 * state], -1)], -1)
    return Features(tokens, tokens[:, -1])

  def logits(self, tokens):
    return tokens[..., :VOCABULARY]


def _subject(sharp, sign=1.0):
  networks = {'backbone': Solver(sharp), 'reward': lambda tokens: sign * tokens[..., -1:]}
  return Subject(DATA, lambda x: None, networks)


def test_a_reward_that_counts_slips_is_always_right():
  assert pair_rewards(_subject(5.0), None)['accuracy'] == 1.0
  assert pair_rewards(_subject(5.0, -1.0), None)['accuracy'] == 0.0


def test_a_solver_finds_better_answers_more_probable_and_answers_rightly():
  assert pair_likelihoods(_subject(5.0), None)['accuracy'] == 1.0
  sure, blind = (answers(_subject(sharp), jax.random.key(0)) for sharp in (50.0, 0.0))
  assert sure == {'right': 1.0, 'perfect': 1.0}
  assert blind['right'] < 0.2


def test_half_way_slips_are_seen():
  found = partial_reward(_subject(0.0), None)
  assert found['accuracy'] == 1.0 and 0.6 < found['reward_auroc'] < 1.0
  assert np.isfinite(found['goal_auroc'])
