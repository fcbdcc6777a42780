"""The loop of learning from comparisons: what it samples, how it follows a reward, and its rows."""

import jax
import numpy as np
import pytest

from jssl import loops
from jssl.core import nets
from jssl.data.preference.chains import ZERO
from jssl.experiments import module

tldr = module('tldr')


@pytest.mark.rotating
def test_a_policy_follows_a_reward_and_beta_holds_it():
  start = nets.init(tldr._networks(), jax.random.key(0))[0]
  policy, questions = {'lm': start['lm']}, np.full((8, tldr.START + tldr.TERMS), ZERO, np.int32)
  told = lambda p: float(np.mean(tldr._values(start, tldr._sample(p, np.repeat(questions, 16, 0), jax.random.key(1)))[:, -1]))
  free, held = (tldr._ppo(policy, start, questions, jax.random.key(2), beta, rounds=8) for beta in (0.0, 10.0))
  ids = tldr._sample(free, questions, jax.random.key(3))
  assert told(free) > told(policy)
  assert tldr._kl(held, policy, ids) < tldr._kl(free, policy, ids)
  np.testing.assert_array_equal(ids[:, : tldr.START], questions[:, : tldr.START])
  cold = [tldr._sample(policy, questions, jax.random.key(seed), 1e-6) for seed in (4, 5)]
  np.testing.assert_array_equal(*cold)  # the most likely answer, whatever is drawn


@pytest.mark.rotating
def test_rows():
  loop = tldr.loop(seed=0, examples=64, steps=2, rewarded=2, rounds=1, best_of=2)
  rows = loop.rows(loops.run(loop))
  assert set(rows) == {'tldr', 'supervised', 'beta_0', 'beta_0.05', 'best_of_2', 'random_init'}
  assert rows['supervised']['kl'] == 0 and rows['best_of_2']['proxy'] > rows['supervised']['proxy']
  assert all(np.isfinite(list(row.values())).all() and 0 <= row['gold'] <= 1 for row in rows.values())
