"""MusIK's loop opens a short lock."""

import pytest

from jssl import experiments, loops


@pytest.mark.rotating
def test_a_cover_reaches_what_chance_does_not():
  loop = experiments.module('musik').loop(seed=0, horizon=2, actions=4, episodes=500, steps=200, judged=64)
  rows = loop.rows(loops.run(loop))
  assert rows['musik']['return'] > 0.8 > 0.3 > rows['random_init']['return']
  assert rows['musik']['decoded'] > 0.9
  assert rows['one_step']['return'] > 0.5 > rows['random_init']['return']  # its codes are chained
  assert set(rows) == {'musik', 'one_step', 'q_learning', 'random_init'}
