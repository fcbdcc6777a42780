"""Views of token ids."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.masks import tokens
from jssl.views import text

IDS = jnp.array([[2, 7, 8, 9, 10, 11, 12, 3, 0, 0], [2, 7, 3, 0, 0, 0, 0, 0, 0, 0], [2, 3, 0, 0, 0, 0, 0, 0, 0, 0]])
KEYS = jax.random.split(jax.random.key(0), 3)


def test_twice():
  a, b = text.duplicate(KEYS, {'ids': IDS})
  assert a is b is IDS


def test_what_is_not_deleted_moves_up_and_keeps_its_order():
  original, cut = text.deleted(KEYS, {'ids': IDS}, rate=0.5)
  assert original is IDS
  for before, after in zip(np.asarray(IDS), np.asarray(cut), strict=True):
    kept = after[after != 0]
    assert (after[len(kept) :] == 0).all() and [x for x in before if x in kept] == kept.tolist()
    assert (kept[0], kept[-1]) == (2, 3)
  assert (np.asarray(cut) != 0).sum() < (np.asarray(IDS) != 0).sum()


def test_views_without_the_original_differ():
  a, b = text.deleted(KEYS, {'ids': IDS}, rate=0.5, original=False)
  assert not np.array_equal(a, b)


@pytest.mark.parametrize('ratio, counts', [(0.15, [1, 1, 0]), (0.5, [3, 1, 0])])
def test_masks_hide_a_share_of_the_tokens_that_are_not_special(ratio, counts):
  hidden = tokens.mask_tokens(KEYS, IDS >= 5, ratio=ratio)
  assert hidden.mask.sum(1).tolist() == hidden.valid.sum(1).tolist() == counts
  assert (np.asarray(IDS)[np.asarray(hidden.mask)] >= 5).all()
  for mask, places, valid in zip(*map(np.asarray, hidden), strict=True):
    assert set(np.flatnonzero(mask)) == set(places[valid])


def test_every_token_is_hidden_as_often():
  keys = jax.random.split(jax.random.key(1), 600)
  share = tokens.mask_tokens(keys, jnp.tile(IDS[:1] >= 5, (600, 1)), ratio=0.5).mask.mean(0)
  np.testing.assert_allclose(share[1:7], 0.5, atol=0.08)


def test_an_example_is_masked_by_its_own_key_alone():
  whole = tokens.mask_tokens(KEYS, IDS >= 5, ratio=0.5)
  np.testing.assert_array_equal(whole.mask[:1], tokens.mask_tokens(KEYS[:1], IDS[:1] >= 5, ratio=0.5).mask)


def test_sources_come_before_their_goals():
  keys = jax.random.split(jax.random.key(0), 200)
  drawn = text.ordered_places(keys, {'ids': jnp.ones((200, 9), int)}, column='ids', start=4, draws=3)
  source, goal = drawn['source'], drawn['goal']
  assert source.shape == goal.shape == (200, 3)
  assert (source.max(1) < goal.min(1)).all() and source.min() == 4 and goal.max() == 8
  for name in ('again', 'elsewhere'):
    assert (drawn[name].min(), drawn[name].max()) == (4, 8)
  assert not np.array_equal(drawn['again'], drawn['elsewhere'])
